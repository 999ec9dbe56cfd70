import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from mailpod.model.plan import Create, Halt, Remove, Replace, Start, describe, plan
from mailpod.model.spec import LABEL_SPEC, Workload, WorkloadSpec

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])

PLAIN = WorkloadSpec(
    name="a",
    image="image:1",
    hostname="a.example.org",
    network="n",
    aliases=("a.example.org",),
    volume="a-1",
    mount="/data",
    memory=1,
    pids=1,
    cpus=1,
    cpu_weight=1,
    capabilities=(),
    tmpfs={},
    environment={},
    labels={},
)


@st.composite
def specs(draw, name):
    return dataclasses.replace(
        PLAIN, name=name, volume=f"{name}-{draw(st.integers(1, 3))}", memory=draw(st.integers(1, 3))
    )


def observed_as(spec, state="running"):
    return Workload(spec.name, state, "", spec.image, {LABEL_SPEC: spec.digest()})


@st.composite
def worlds(draw):
    """A desired and an observed state that have some names, and some specifications, in common."""
    desired = [draw(specs(name)) for name in draw(st.sets(NAMES))]
    there = {}
    for name in draw(st.sets(NAMES)):
        same = [spec for spec in desired if spec.name == name]
        spec = draw(st.sampled_from([*same, draw(specs(name))]))
        workload = observed_as(spec, draw(st.sampled_from(["running", "stopped", "created", "restarting"])))
        there[name] = workload if draw(st.booleans()) else dataclasses.replace(workload, labels={})
    return desired, there


def take(there, steps):
    """What an engine makes of the steps; a step it could not take fails."""
    there = dict(there)
    for step in steps:
        match step:
            case Create(spec):
                assert spec.name not in there
                there[spec.name] = observed_as(spec)
            case Replace(spec):
                del there[spec.name]
                there[spec.name] = observed_as(spec)
            case Start(name):
                there[name] = dataclasses.replace(there[name], state="running")
            case Halt(name):
                there[name] = dataclasses.replace(there[name], state="stopped")
            case Remove(name):
                del there[name]
    return there


@given(worlds())
def test_any_observed_state_converges(world):
    desired, there = world
    after = take(there, plan(desired, there.values()))
    assert {name: w.spec for name, w in after.items()} == {spec.name: spec.digest() for spec in desired}
    assert all(w.state in {"running", "restarting"} for w in after.values())


@given(worlds())
def test_applying_twice_is_applying_once(world):
    desired, there = world
    after = take(there, plan(desired, there.values()))
    assert plan(desired, after.values()) == []


@given(worlds(), st.data())
def test_a_crash_between_two_steps_is_repaired_by_the_next_plan(world, data):
    desired, there = world
    steps = plan(desired, there.values())
    halfway = take(there, steps[: data.draw(st.integers(0, len(steps)))])
    after = take(halfway, plan(desired, halfway.values()))
    assert plan(desired, after.values()) == []


@given(worlds())
def test_what_is_right_is_left_alone(world):
    desired, there = world
    right = {s.name for s in desired if s.name in there and there[s.name] == observed_as(s)}
    touched = {getattr(step, "name", None) or step.spec.name for step in plan(desired, there.values())}
    assert not right & touched


@given(worlds(), st.sets(NAMES))
def test_what_is_frozen_runs_no_more_and_is_kept_as_it_is(world, frozen):
    desired, there = world
    desired = [spec for spec in desired if spec.name not in frozen]
    after = take(there, plan(desired, there.values(), frozen))
    kept = {name: workload for name, workload in after.items() if name in frozen}
    assert kept.keys() == there.keys() & frozen
    assert not any(workload.runs for workload in kept.values())
    assert all(workload.spec == there[name].spec for name, workload in kept.items())
    assert plan(desired, after.values(), frozen) == []


def test_removals_come_first_and_every_kind_of_step_is_told():
    b, c, d = (dataclasses.replace(PLAIN, name=name) for name in "bcd")
    there = [Workload("a", "running", "", "", {}), Workload("c", "running", "", "", {}), observed_as(d, "stopped")]
    there.append(Workload("e", "running", "", "", {}))
    steps = plan([b, c, d], there, {"e"})
    assert steps == [Halt("e"), Remove("a"), Create(b), Replace(c), Start("d")]
    assert [describe(step) for step in steps] == ["halt e", "remove a", "create b", "replace c", "start d"]


def test_what_never_ran_is_made_anew():
    """A crash may have come before its volume had the seed."""
    assert plan([PLAIN], [observed_as(PLAIN, "created")]) == [Replace(PLAIN)]


def test_nothing_is_planned_for_nothing():
    assert plan([], []) == []


def test_what_belongs_to_a_machine_that_is_down_is_left_alone():
    far = dataclasses.replace(PLAIN, node="far")
    changed = dataclasses.replace(far, memory=2)
    for there in ([], [observed_as(far, "unreachable")], [observed_as(far, "stopped")]):
        assert plan([changed], there, down={"far"}) == []
        assert plan([changed], there, down={"elsewhere"}) != []


def test_what_is_frozen_is_halted_although_its_machine_is_down():
    assert plan([], [observed_as(PLAIN, "unreachable")], frozen={"a"}) == [Halt("a")]
