"""What an idle account and an idle main hold in memory."""

import os
import statistics
import time
from pathlib import Path

from docker.models.containers import Container

from bench.clients import webmail_login
from bench.peer import peer
from bench.report import Findings, Row, megabytes
from bench.run_context import Run
from bench.system import HOST, Failed

HOW = (
    "PSS (/proc/PID/smaps_rollup) summed over all processes of a container; the median (least to greatest) of samples "
    "taken over a minute of idling, so that the health check is seen. The account was logged in to once and is the "
    "only one of its system; main had one webmail login. The shim is the engine's process beside each container. "
    "Baseline: the one container with Postfix and Dovecot, idle and empty."
)


def measure(run: Run) -> Findings:
    """Measure one account, main, and then ten accounts together."""
    if os.geteuid() != 0:
        raise Failed("reading the memory of other users' processes needs root")
    system = run.system
    account = system.ensure(1)[0]
    webmail_login(HOST, system.port(443), account.name, account.password, system.tls)
    with peer(run.engine, run.image, run.label) as baseline:
        watched = {
            "account": system.container(account.name),
            "main": system.container("main"),
            "baseline": baseline.container,
        }
        run.say("idling")
        time.sleep(run.times(90, 35))
        idle, shims = sampled(watched, run.times(60, 10))
    found = Findings("memory", HOW)
    for what, most, target in (
        ("account", 8e6, "≤ 8 MB (aim 6)"),
        ("main", 300e6, "≤ 300 MB"),
    ):
        values = idle[what]
        middle = statistics.median(values)
        found.rows.append(
            Row(
                f"idle {what}, PSS of its processes",
                f"{megabytes(middle)} ({min(values) / 1e6:.1f} to {max(values) / 1e6:.1f})",
                megabytes(statistics.median(idle["baseline"])),
                middle / statistics.median(idle["baseline"]),
                target,
                middle <= most,
            )
        )
    shim, other = megabytes(shims["account"]), megabytes(shims["baseline"])
    found.rows.append(Row("the engine's shim of the account", shim, other))
    if run.profile or not run.quick:
        found.notes.append("the account's processes: " + by_process(watched["account"]))
        found.notes.append("main's processes: " + by_process(watched["main"]))
    ten = system.ensure(run.times(10, 2))
    time.sleep(run.times(60, 15))
    each = [_pss(pid) for one in ten for pid in processes(system.container(one.name))]
    share = sum(each) / len(ten)
    found.rows.append(Row(f"idle account when there are {len(ten)}, PSS each", megabytes(share)))
    return found


def sampled(watched: dict[str, Container], for_seconds: float) -> tuple[dict[str, list[float]], dict[str, float]]:
    """PSS of each container every two seconds, and of its shim at the end, in bytes."""
    idle: dict[str, list[float]] = {what: [] for what in watched}
    deadline = time.monotonic() + for_seconds
    while time.monotonic() < deadline:
        for what, container in watched.items():
            idle[what].append(sum(_pss(pid) for pid in processes(container)))
        time.sleep(2)
    shims = {what: _pss(_parent(container.attrs["State"]["Pid"])) for what, container in watched.items()}
    return idle, shims


def processes(container: Container) -> list[int]:
    """Process ids, on this machine, of everything in a container."""
    container.reload()
    space = Path(f"/proc/{container.attrs['State']['Pid']}/ns/pid").readlink()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "ns/pid").readlink() == space:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0.0)


def _parent(pid: int) -> int:
    # proc_pid_stat(5): the fourth field, after the name in parentheses.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def by_process(container: Container) -> str:
    """A container's processes by name, with how many and their PSS in MB."""
    found: dict[str, list[float]] = {}
    for pid in processes(container):
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
        found.setdefault(name, []).append(_pss(pid))
    ordered = sorted(found.items(), key=lambda item: -sum(item[1]))
    return ", ".join(
        f"{name}{f' x{len(sizes)}' if len(sizes) > 1 else ''} {sum(sizes) / 1e6:.2f}" for name, sizes in ordered
    )
