"""Mail for an account on another machine of a Swarm, beside mail for one on main's own."""

import statistics
import tempfile
from pathlib import Path

from tests.e2e.support.swarm import SwarmSystem, running_swarm
from tests.e2e.support.system import Account

from bench.peer import tools
from bench.report import Findings, Row
from bench.run_context import Run
from bench.throughput import Load, Target, load, rate

HOW = (
    "Three engines on this machine, each in a network namespace with a disk of its own, make a Swarm; their packets "
    "pass a bridge and VXLAN, and no wire. The load is that of the throughput above, {count} messages to one account "
    "on the machine that main is on (the baseline) and to one on another, alternately, {times} times."
)
_LEAST = 0.9


def measure(run: Run) -> Findings:
    """Load both alternately."""
    count, times = run.times(1000, 100), run.times(3, 1)
    found = Findings("machines", HOW.format(count=f"{count:,}", times=times))
    folder = Path(tempfile.mkdtemp(prefix="mailpod-bench-swarm-"))
    with running_swarm(folder) as system, tools(run.engine, run.image, run.label) as source:
        here, there = (system.create(name, "--node", node) for name, node in (("here", "node1"), ("there", "node2")))
        near: list[Load] = []
        far: list[Load] = []
        for turn in range(times):
            for loads, account in ((near, here), (far, there))[:: 1 if turn % 2 == 0 else -1]:
                loads.append(load(run, source, _target(system, account), count))
        close, away = (statistics.median(one.delivered for one in loads) for loads in (near, far))
        found.rows.append(
            Row(
                "outside → Maildir on another machine",
                rate(far),
                rate(near),
                away / close,
                f"≥ {_LEAST}",
                away >= _LEAST * close,
            )
        )
        lost = sum(one.deferred for one in (*near, *far))
        found.rows.append(Row("the same: deferred or bounced", str(lost), "", None, "0", lost == 0))
    return found


def _target(system: SwarmSystem, account: Account) -> Target:
    container = system.container(account)
    [mount] = [one for one in container.attrs["Mounts"] if one["Type"] == "volume"]
    folder = Path(mount["Source"]) / "home/Maildir/new"
    for file in folder.iterdir() if folder.exists() else ():
        file.unlink()
    containers = {"main": system.main, account.name: container}
    return Target(25, [(account.address, folder)], containers, system.address)
