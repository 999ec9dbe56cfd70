"""What signing and scanning cost: main as it is beside a main whose Postfix does not ask Rspamd."""

import io
import statistics
import time
from collections.abc import Callable

from bench.peer import tools
from bench.report import Findings, Row
from bench.run_context import Run
from bench.system import Account, Failed, System
from bench.throughput import CONNECTIONS, LENGTH, Load, Target, accounts_of, load, rate, watched
from mailpod.model.records import MainImages
from mailpod.store import Store

MOST = 0.4
HOW = (
    "Two systems beside each other that differ in main's image alone: in that of the column of the baseline Postfix "
    "asks the filter of who writes as whom, and not Rspamd. Inward as in `throughput`, {count:,} messages, {times} "
    "times, alternately. From account to account: sendmail(1) in an account, ten at a time, {count:,} messages of 4 "
    "kB, which main signs twice; a second from the first until the last file is in the other account's `new`."
)
_PLAIN = """FROM {image}
RUN postconf -e 'smtpd_milters = unix:/run/identity/milter' 'non_smtpd_milters ='
"""


def measure(run: Run) -> Findings:
    """Load both alternately, inward and from account to account."""
    count, times = run.times(1000, 300), run.times(3, 1)
    found = Findings("scanning", HOW.format(count=count, times=times))
    systems = {"with": run.system, "without": run.another()}
    for system in systems.values():
        system.ensure(10)
    _unscanned(systems["without"], run.label)
    with tools(run.engine, run.image, run.label) as source:
        for boxes in (1, 10):

            def inward(system: System, boxes: int = boxes) -> Load:
                return load(run, source, accounts_of(system, system.ensure(boxes)), count)

            _compare(found, f"outside → Maildir, {boxes} account{'s' if boxes > 1 else ''}", systems, inward, times)

    def across(system: System) -> Load:
        sender, recipient = system.ensure(2)
        target = accounts_of(system, [recipient])
        way = Target(target.port, target.mailboxes, {**target.containers, sender.name: system.container(sender.name)})
        return watched(run, way, count, lambda: _written(system, sender, recipient, count))

    _compare(found, "account → account", systems, across, times)
    return found


def _unscanned(system: System, label: str) -> None:
    """Have main run on an image, with this label, whose Postfix does not ask Rspamd."""
    store = Store(system.state)
    image = system.container("main").image
    assert image
    plain = f"mailpod/main:{system.instance}"
    dockerfile = io.BytesIO(_PLAIN.format(image=image.id).encode())
    name, _, value = label.partition("=")
    system.engine.images.build(fileobj=dockerfile, tag=plain, labels={name: value}, rm=True)
    store.save_system(store.system().model_copy(update={"images": MainImages(main=plain)}))
    system.command("apply")
    code, said = system.container("main").exec_run(["postconf", "-h", "smtpd_milters"])
    if code != 0 or b"rspamd" in said:
        raise Failed(f"main still asks Rspamd: {said!r}")


def _written(system: System, sender: Account, recipient: Account, count: int) -> tuple[float, float]:
    """Have an account write so many messages to another; the moments at which it began and ended."""
    line = "0123456789abcdef" * 4
    message = f"From: {sender.address}\\nTo: {recipient.address}\\nSubject: N\\n\\n%s\\n"
    script = (
        f"body=$(yes {line} | head -n {LENGTH // len(line)}); export body; "
        f"seq {count} | xargs -P {CONNECTIONS} -I N sh -c "
        f'\'printf "{message}" "$body" | /usr/sbin/sendmail -f {sender.address} {recipient.address}\''
    )
    start = time.time()
    code, said = system.container(sender.name).exec_run(["sh", "-c", script], user="box")
    if code != 0:
        raise Failed(f"sendmail failed: {said[-300:]!r}")
    return start, time.time()


def _compare(
    found: Findings, what: str, systems: dict[str, System], measured: Callable[[System], Load], times: int
) -> None:
    loads: dict[str, list[Load]] = {name: [] for name in systems}
    for turn in range(times):
        for name in systems if turn % 2 else reversed(systems):
            loads[name].append(measured(systems[name]))
    scanned, plain = (statistics.median(one.delivered for one in loads[name]) for name in ("with", "without"))
    least = 1 - MOST
    ratio = scanned / plain
    row = Row(
        f"with | without signing and scanning: {what}",
        rate(loads["with"]),
        rate(loads["without"]),
        ratio,
        f"≥ {least:.1f}",
        ratio >= least,
    )
    found.rows.append(row)
    lost = {name: sum(one.deferred for one in some) for name, some in loads.items()}
    deferred = f"with | without signing and scanning: {what}: deferred or bounced"
    found.rows.append(Row(deferred, str(lost["with"]), str(lost["without"]), None, "0", not any(lost.values())))
    for name, some in loads.items():
        cpu = statistics.median(one.cpu["main"] for one in some) * 1000
        found.notes.append(f"{what}, {name}: processor time a message in main {cpu:.1f} ms")
