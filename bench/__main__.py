"""`bench/run`: all measures, the table, and the page of results."""

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import docker

from bench import create, growth, idle, ledger, machines, memory, moving, neighbour, scanning, stacks, start, throughput
from bench.peer import ensure_images
from bench.report import RESULTS, Findings, Row, machine, page, plain_table
from bench.resolver import resolver
from bench.run_context import Run
from bench.system import ROOT, System, remove_everything
from mailpod.host.engine import ensure_engine

# In this order: the memory of an account is measured while it is the only one, and the most accounts come last.
MEASURES: dict[str, Callable[[Run], Findings]] = {
    "start": start.measure,
    "memory": memory.measure,
    "idle": idle.measure,
    "throughput": throughput.measure,
    "scanning": scanning.measure,
    "create": create.measure,
    "stacks": stacks.measure,
    "neighbour": neighbour.measure,
    "machines": machines.measure,
    "moving": moving.measure,
    "ledger": ledger.measure,
    "growth": growth.measure,
}
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Measure, print, and write the page when the run was a whole one."""
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=(
            "Measures mailpod on this machine, prints a table, and after a whole run writes "
            f"{RESULTS.relative_to(ROOT)}. The machine should do nothing else meanwhile. Root is needed for the memory "
            "of processes and the Maildirs."
        ),
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, to try the benchmark itself")
    parser.add_argument("--only", action="append", choices=MEASURES, help="one measure; may be given again")
    parser.add_argument("--minutes", type=float, help="how long the ledger is kept")
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier ledger")
    parser.add_argument("--profile", action="store_true", help="show where the creation of an account spends its time")
    options = parser.parse_args()
    for ending in _ENDINGS:
        signal.signal(ending, _interrupt)
    chosen = options.only or list(MEASURES)
    ensure_engine(print)
    engine = docker.from_env(version="auto", timeout=120)
    with_others = len(engine.containers.list(ignore_removed=True))
    facts = machine(engine, with_others)
    image = ensure_images(engine)

    instance = f"bn{secrets.token_hex(3)}"
    folder = Path(tempfile.mkdtemp(prefix="mailpod-bench-"))
    address = resolver(engine)
    systems = [System(engine, instance, folder, address)]

    def another() -> System:
        systems.append(System(engine, f"{instance}x{len(systems)}", folder, address))
        return systems[-1]

    label = f"mailpod.bench={instance}"
    run = Run(engine, label, image, options.quick, options.profile, systems[0], another, options.minutes, options.seed)
    found: list[Findings] = []
    failed = False
    try:
        for name in MEASURES:
            if name in chosen:
                print(f"{name}", flush=True)
                found.append(_measured(name, run))
                failed |= any(row.mailpod == "failed" for row in found[-1].rows)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        time.sleep(2)  # what the commands that were cut off had asked of the engine comes to its end
        return 1
    finally:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        print("removing everything", flush=True)
        remove_everything(engine, [label, *(f"mailpod.instance={system.instance}" for system in systems)])
        shutil.rmtree(folder, ignore_errors=True)
    print("\n" + "\n".join(facts) + "\n\n" + plain_table(found))
    for one in found:
        print("".join(f"\n{one.name}: {note}" for note in one.notes), end="")
    print()
    if not (failed or options.quick or options.only):
        RESULTS.write_text(page(facts, found))
        print(f"\nwritten: {RESULTS}")
    return 1 if failed else 0


def _measured(name: str, run: Run) -> Findings:
    """One measure; a failure is a row too, so that the others are still made."""
    try:
        return MEASURES[name](run)
    except Exception as problem:  # noqa: BLE001 (told in the table)
        traceback.print_exc()
        return Findings(name, "It failed.", [Row(name, "failed", met=False)], [" ".join(str(problem).split())])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
