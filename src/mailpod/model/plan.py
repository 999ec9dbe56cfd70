"""The difference between desired and observed state, as a list of steps."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import assert_never

from mailpod.model.spec import Workload, WorkloadSpec


@dataclass(frozen=True)
class Create:
    """Make and start a workload that is not there."""

    spec: WorkloadSpec


@dataclass(frozen=True)
class Replace:
    """Remove a workload made from another specification or never started, keep its volume, and make it anew."""

    spec: WorkloadSpec


@dataclass(frozen=True)
class Start:
    """Start a workload that is there and stopped."""

    name: str


@dataclass(frozen=True)
class Halt:
    """End a workload that may not run; it stays there, stopped."""

    name: str


@dataclass(frozen=True)
class Remove:
    """Remove a workload nobody asked for; its volume stays."""

    name: str


_AT_REST = {"stopped", "created"}

Step = Create | Replace | Start | Halt | Remove


def plan(
    desired: Iterable[WorkloadSpec],
    observed: Iterable[Workload],
    frozen: Collection[str] = (),
    down: Collection[str] = (),
) -> list[Step]:
    """Steps that lead from the observed to the desired state.

    What may not run is ended first. Removals come next, so that a name is free before it is used again. Applying the
    steps and planning once more gives no step.

    Args:
        desired: what is to run.
        observed: what is there.
        frozen: names of what may not run, and is kept as it is.
        down: names of machines that do not answer. What belongs there is left to run as it was once they do.
    """
    specs = {spec.name: spec for spec in desired}
    there = {workload.name: workload for workload in observed}
    # What cannot be reached now would run as soon as its machine is back.
    steps: list[Step] = [Halt(name) for name in there if name in frozen and there[name].state not in _AT_REST]
    steps += [Remove(name) for name in there if name not in specs and name not in frozen]
    for name, spec in specs.items():
        if spec.node in down:
            continue
        workload = there.get(name)
        if workload is None:
            steps.append(Create(spec))
        elif workload.spec != spec.digest() or workload.state == "created":
            # One that never ran is left over from a crash, perhaps before its volume had the seed.
            steps.append(Replace(spec))
        elif workload.state == "stopped":
            steps.append(Start(name))
    return steps


def describe(step: Step) -> str:
    """One line for the operator, e.g. `create mailpod-alice`."""
    match step:
        case Create(spec):
            return f"create {spec.name}"
        case Replace(spec):
            return f"replace {spec.name}"
        case Start(name):
            return f"start {name}"
        case Halt(name):
            return f"halt {name}"
        case Remove(name):
            return f"remove {name}"
        case _:
            assert_never(step)
