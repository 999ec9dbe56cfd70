"""Creating an account, against starting a bare container."""

import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.clients import greeting
from bench.peer import bare_run
from bench.report import Findings, Row, seconds
from bench.run_context import Run

HOW = (
    "`mailpod account create NAME --password-stdin --json` as a user runs it, from the start of the process until it "
    "has returned and then SMTP and SSH of the account have greeted and an IMAP login through main has succeeded; the "
    "account is deleted before the next. Baseline: `docker run -d` of the base image with `sleep`, until the command "
    "returns. Alternately; medians (least to greatest)."
)


def measure(run: Run) -> Findings:
    """Create accounts and bare containers alternately."""
    run.system.up()
    returned, answered, bare = [], [], []
    for number in range(run.times(15, 3)):
        bare.append(bare_run(run.label))
        account = run.system.create(f"create{number}")
        returned.append(account.returned)
        answered.append(account.answered)
        run.system.delete([account.name])
    ratio = statistics.median(answered) / statistics.median(bare)
    found = Findings("create", HOW)
    what = "create an account until it answers"
    found.rows.append(Row(what, seconds(answered), seconds(bare), ratio, "≤ 2.5 (aim 1.5)", ratio <= 2.5))
    found.notes.append(f"the command itself returned after {seconds(returned)}")
    if run.profile:
        found.notes += _profile(run)
    return found


@dataclass
class _Timeline:
    """What happened when, in seconds from the start of the command."""

    start: float = field(default_factory=time.time)
    events: dict[str, float] = field(default_factory=dict)

    def note(self, what: str, when: float | None = None) -> None:
        self.events.setdefault(what, (when or time.time()) - self.start)


def _profile(run: Run) -> list[str]:
    """Where a create spends its time, seen from outside: the engine's events, and the account's first greetings."""
    lines: list[_Timeline] = [_profiled_create(run, f"profile{number}") for number in range(run.times(5, 2))]
    startup = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run(run.system.arguments("--version"), capture_output=True, check=True)
        startup.append(time.monotonic() - start)
    notes = [f"profile: launcher and imports alone (`--version`) {statistics.median(startup):.2f} s"]
    order = sorted({event for line in lines for event in line.events}, key=lambda e: _middle(lines, e))
    notes.append(
        "profile, seconds from the start, slowed by the watching: "
        + ", ".join(f"{e} {_middle(lines, e):.2f}" for e in order)
    )
    return notes


def _middle(lines: list[_Timeline], event: str) -> float:
    return statistics.median(line.events[event] for line in lines if event in line.events)


def _profiled_create(run: Run, name: str) -> _Timeline:
    events = run.engine.events(decode=True, filters={"label": f"mailpod.account={name}"})
    line = _Timeline()
    watchers: list[threading.Thread] = []

    def follow() -> None:
        for event in events:
            action = event["Action"].partition(":")[0]
            if action.startswith("exec_"):
                continue
            line.note(f"engine {action}", event["timeNano"] / 1e9)
            if action == "start":
                address = _address(run, name)
                watchers.extend(_thread(partial(_await, line, address, port)) for port in (22, 587))

    follower = _thread(follow)
    line.start = time.time()
    run.system.create(name)
    line.note("returned and answered")
    for watcher in watchers:
        watcher.join()
    events.close()
    follower.join(5)
    run.system.delete([name])
    return line


def _address(run: Run, name: str) -> str:
    networks = run.system.container(name).attrs["NetworkSettings"]["Networks"]
    return str(networks[run.system.instance]["IPAddress"])


def _await(line: _Timeline, address: str, port: int) -> None:
    deadline = time.time() + 20
    while time.time() < deadline:
        try:
            if greeting(address, port):
                line.note(f"greets on {port}")
                return
        except OSError:
            time.sleep(0.02)


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
