"""Whether creating an account gets slower with the number of accounts."""

import statistics
import time

from bench.peer import bare_run
from bench.report import Findings, Row, seconds
from bench.run_context import Run
from bench.system import Failed

HOW = (
    "Accounts are made one after the other in an empty system; the median of the creates around the 100th against "
    "that around the 5th, with the same end as in `create`. A bare `docker run` at both moments shows the engine's own "
    "part. At the end all are deleted, eight commands at once."
)


def measure(run: Run) -> Findings:
    """Create many, then delete them all."""
    system = run.system
    system.up()
    system.delete(list(system.accounts))
    last, around = run.times(100, 12), run.times(2, 1)
    few = 5
    taken, bare = [], {}
    for number in range(1, last + around + 1):
        taken.append(system.create(f"grow{number}").answered)
        if number in {few, last}:
            bare[number] = statistics.median(bare_run(run.label) for _ in range(5))
        if number % 10 == 0:
            run.say(f"{number} accounts")
    early = taken[few - around - 1 : few + around]
    late = taken[last - around - 1 : last + around]
    ratio = statistics.median(late) / statistics.median(early)
    found = Findings("growth", HOW)
    what = f"create the {last}th account, against the 5th"
    found.rows.append(Row(what, seconds(late), seconds(early), ratio, "≤ 1.2", ratio <= 1.2))
    found.notes.append(
        f"bare `docker run` beside {few} accounts {bare[few]:.2f} s, beside {last} accounts {bare[last]:.2f} s"
    )
    start, count = time.monotonic(), len(system.accounts)
    try:
        system.delete(list(system.accounts), at_once=8)
        found.notes.append(f"deleting {count} accounts with their volumes took {time.monotonic() - start:.1f} s")
    except Failed as problem:
        found.rows.append(Row("delete eight accounts at once", "failed", met=False))
        found.notes.append(f"deleting failed: {' '.join(str(problem).split())}")
    return found
