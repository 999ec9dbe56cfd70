"""Mail from outside until it lies in Maildirs, against one container with Postfix and Dovecot."""

import contextlib
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.models.containers import Container

from bench.clients import greeting
from bench.peer import Peer, peer, tools
from bench.report import Findings, Row
from bench.run_context import Run
from bench.system import HOST, Account, Failed, System, free_port

CONNECTIONS = 10
LENGTH = 4096
HOW = (
    "Postfix's `smtp-source` on the host's network sends {count} messages of 4 kB over 10 connections, "
    "each used for all of its messages, to the published port 25: of main, whose messages go on to the accounts' own "
    "Postfix and Dovecot, or of the one container with Postfix and Dovecot LMTP. To one mailbox, and to ten. Messages "
    "a second from the first connect until the last file is in a Maildir's `new`. Alternately, {times} times; medians "
    "(least to greatest). Deferrals are counted in the logs of all containers on the way. The processor's time for a "
    "message is shown for each kind of container; the rest of the machine's is the generator's, the engine's (which "
    "writes the logs) and the kernel's."
)


@dataclass(frozen=True)
class Target:
    """Where a load goes.

    Attributes:
        mailboxes: address and folder of new mail.
        containers: those on the way, by what they are called in the notes.
        host: address of the port.
    """

    port: int
    mailboxes: list[tuple[str, Path]]
    containers: dict[str, Container]
    host: str = HOST


@dataclass(frozen=True)
class Load:
    """How one load went: messages a second until accepted and until delivered, and what was seen on the way."""

    accepted: float
    delivered: float
    deferred: int
    cpu: dict[str, float]
    machine: float
    hops: dict[str, tuple[float, ...]]


def measure(run: Run) -> Findings:
    """Load both alternately."""
    count, times = run.times(1000, 300), run.times(3, 1)
    found = Findings("throughput", HOW.format(count=f"{count:,}", times=times))
    run.system.ensure(10)
    with peer(run.engine, run.image, run.label) as baseline, tools(run.engine, run.image, run.label) as source:
        alone = _generator_alone(source, count)
        for boxes in (1, 10):
            ours: list[Load] = []
            theirs: list[Load] = []
            for turn in range(times):
                for mine in (True, False) if turn % 2 == 0 else (False, True):
                    target = accounts_of(run.system, run.system.ensure(boxes)) if mine else _baseline(baseline, boxes)
                    (ours if mine else theirs).append(load(run, source, target, count))
            _add(found, boxes, ours, theirs)
    found.notes.append(f"the generator alone, into Postfix's `smtp-sink`: {alone:.0f} messages a second")
    return found


def accounts_of(system: System, accounts: Sequence[Account]) -> Target:
    """Accounts as a target, with no new mail."""
    for account in accounts:
        folder = system.maildir(account.name)
        for file in folder.iterdir() if folder.exists() else ():
            file.unlink()
    return Target(
        system.port(25),
        [(account.address, system.maildir(account.name)) for account in accounts],
        {"main": system.container("main")} | {a.name: system.container(a.name) for a in accounts},
    )


def _baseline(baseline: Peer, boxes: int) -> Target:
    return Target(baseline.smtp, [baseline.fresh() for _ in range(boxes)], {"baseline": baseline.container})


def load(run: Run, source: Container, target: Target, count: int) -> Load:
    """Send so many messages to the target, and wait until all are delivered."""
    addresses = [address for address, _ in target.mailboxes]
    return watched(run, target, count, lambda: _send(source, target.host, target.port, addresses, count))


def watched(run: Run, target: Target, count: int, send: Callable[[], tuple[float, float]]) -> Load:
    """Have so many messages sent to the target, and wait until all are delivered.

    Args:
        send: does it; the moments at which it began and ended.
    """
    before = {name: _cpu(container) for name, container in target.containers.items()}
    busy = _busy()
    since = int(time.time())
    start, accepted = send()
    deadline = time.time() + 60 + count / 10
    while _arrived(target) < count:
        if time.time() > deadline:
            raise Failed(f"{_arrived(target)} of {count} messages arrived within {deadline - start:.0f} s")
        time.sleep(0.01)
    end = time.time()
    machine = (_busy() - busy) / count
    cpu: dict[str, float] = {}
    hops: dict[str, list[tuple[float, ...]]] = {}
    deferred = 0
    for name, container in target.containers.items():
        kind = name if name in {"main", "baseline"} else "accounts"
        cpu[kind] = cpu.get(kind, 0.0) + (_cpu(container) - before[name]) / count
        log = _log(container, since)
        deferred += log.count("status=deferred") + log.count("status=bounced")
        hops.setdefault(kind, []).extend(_delays(log))
    run.say(f"{count / (end - start):.0f} a second to {len(target.mailboxes)} ({', '.join(cpu)})")
    means = {kind: tuple(map(statistics.fmean, zip(*rows, strict=True))) for kind, rows in hops.items()}
    return Load(count / (accepted - start), count / (end - start), deferred, cpu, machine, means)


def _send(source: Container, host: str, port: int, addresses: Sequence[str], count: int) -> tuple[float, float]:
    """Send `count` messages over ten connections; the moments at which it began and ended."""
    share = len(addresses)
    names = "-M client.outside.test -f someone@outside.test"
    each = f"smtp-source -s {CONNECTIONS // share} -m {count // share} -l {LENGTH} -d {names}"
    commands = "\n".join(f'{each} -t {address} inet:{host}:{port} & pids="$pids $!"' for address in addresses)
    script = f"set -e\ndate +%s.%N\npids=\n{commands}\nfor pid in $pids; do wait $pid; done\ndate +%s.%N"
    code, output = source.exec_run(["sh", "-c", script])
    assert isinstance(output, bytes)
    words = output.decode(errors="replace").split()
    if code != 0 or len(words) != 2:
        raise Failed(f"smtp-source failed: {' '.join(words)[-300:]}")
    return float(words[0]), float(words[1])


def _generator_alone(source: Container, count: int) -> float:
    """Messages a second into a server that throws them away."""
    port = free_port()
    source.exec_run(["smtp-sink", "-u", "postfix", f"{HOST}:{port}", "100"], detach=True)
    deadline = time.time() + 10
    while time.time() < deadline:
        with contextlib.suppress(OSError):
            if greeting(HOST, port):
                break
        time.sleep(0.05)
    start, end = _send(source, HOST, port, ["a@sink.test"], count)
    return count / (end - start)


def _arrived(target: Target) -> int:
    found = 0
    for _, folder in target.mailboxes:
        try:
            found += sum(1 for _ in folder.iterdir())
        except FileNotFoundError:
            continue
    return found


def _cpu(container: Container) -> float:
    """Seconds of processor time that a container's processes have used."""
    # Each container's own engine.
    assert container.client
    stats = container.client.api.stats(str(container.id), stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _busy() -> float:
    """Seconds of processor time that all of the machine has used (proc_stat(5))."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / 100


def _log(container: Container, since: int) -> str:
    return str(container.logs(since=since).decode(errors="replace"))


def _delays(log: str) -> list[tuple[float, ...]]:
    """What Postfix tells of each delivery: seconds before the queue manager, in it, to connect, to transmit.

    See postconf(5), delay_logging_resolution_limit.
    """
    return [
        tuple(map(float, found.group(1).split("/")))
        for found in re.finditer(r" delays=([0-9./]+), dsn=\S+, status=sent", log)
    ]


def _add(found: Findings, boxes: int, ours: Sequence[Load], theirs: Sequence[Load]) -> None:
    mine = statistics.median(load.delivered for load in ours)
    other = statistics.median(load.delivered for load in theirs)
    what = f"outside → Maildir, {boxes} account{'s' if boxes > 1 else ''}"
    found.rows.append(Row(what, rate(ours), rate(theirs), mine / other, "≥ 1.0", mine >= other))
    lost, baseline_lost = (sum(load.deferred for load in loads) for loads in (ours, theirs))
    found.rows.append(Row(f"{what}: deferred or bounced", str(lost), str(baseline_lost), None, "0", lost == 0))
    for name, loads in (("mailpod", ours), ("baseline", theirs)):
        found.notes.append(
            f"{what}, {name}: accepted {statistics.median(load.accepted for load in loads):.0f} a second; "
            f"processor time a message {_times(loads)}; {_hops(loads)}"
        )


def rate(loads: Sequence[Load]) -> str:
    """Messages a second until delivered: the median, the least and the greatest."""
    rates = [load.delivered for load in loads]
    return f"{statistics.median(rates):.0f}/s ({min(rates):.0f} to {max(rates):.0f})"


def _times(loads: Sequence[Load]) -> str:
    parts = [f"{kind} {_ms(load.cpu[kind] for load in loads)}" for kind in loads[0].cpu]
    return ", ".join([*parts, f"whole machine {_ms(load.machine for load in loads)}"])


def _hops(loads: Sequence[Load]) -> str:
    names = ("receive", "queue", "connect", "transmit")
    parts = []
    for kind in loads[0].hops:
        columns = [statistics.median(column) for column in zip(*(load.hops[kind] for load in loads), strict=True)]
        parts.append(f"{kind} " + " ".join(f"{n} {c * 1000:.0f}" for n, c in zip(names, columns, strict=True)))
    return "mean delays in ms: " + "; ".join(parts)


def _ms(values: Iterable[float]) -> str:
    return f"{statistics.median(values) * 1000:.1f} ms"
