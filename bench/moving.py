"""Moving a large mailbox to another machine of a Swarm: how long its owner cannot get in."""

import contextlib
import imaplib
import itertools
import os
import tempfile
import threading
import time
from pathlib import Path

from tests.e2e.support.swarm import SwarmSystem, running_swarm
from tests.e2e.support.system import Account
from tests.e2e.support.wait import until

from bench.report import Findings, Row
from bench.run_context import Run

HOW = (
    "Three engines on this machine, as in `machines`. An account with {count:,} messages of {size} kB is moved from "
    "one machine to another {times} times, with a message from outside in every second, while its owner logs in "
    "through main over and over and opens the inbox. Away, as the owner sees it, is the longest time between two looks "
    "that succeeded; the command's own is from the container's end until main has seen the new one's servers. The "
    "longest of all moves."
)
_LEAST = 5.0
_SIZE = 64


def measure(run: Run) -> Findings:
    """Move it there and back."""
    count, times = run.times(15_625, 500), run.times(4, 2)
    found = Findings("moving", HOW.format(count=count, size=_SIZE, times=times))
    gaps, own, whole = [], [], []
    with running_swarm(Path(tempfile.mkdtemp(prefix="mailpod-bench-moving-"))) as system:
        account = system.create("mover", "--node", "node2", "--quota", "none")
        _fill(system, account, count)
        sent = 0
        for turn in range(times):
            run.say(f"move {turn + 1} of {times}")
            start = time.monotonic()
            with _Users(system, account) as users:
                target = ("node3", "node2")[turn % 2]
                said = system.cli.ok("account", "move", account.name, "--node", target, seconds=900).err
            whole.append(time.monotonic() - start)
            sent += users.sent
            gaps.append(users.longest())
            own.append(float(said.split("it was away for ")[1].split(" s")[0]))
        there = until(lambda: _messages(system, account) >= count + sent and _messages(system, account), "all", 120)
    what = f"move a mailbox of {count * _SIZE // 1000:,} MB"
    for how, longest in (("by the command's own clock", max(own)), ("as its owner sees it", max(gaps))):
        target = f"< {_LEAST:.0f} s"
        found.rows.append(Row(f"{what}: away, {how}", f"{longest:.1f} s", target=target, met=longest < _LEAST))
    found.rows.append(Row(f"{what}: the whole command", f"{max(whole):.1f} s"))
    wrong = there - count - sent
    found.rows.append(Row(f"{what}: messages lost or twice", str(wrong), target="0", met=wrong == 0))
    return found


def _fill(system: SwarmSystem, account: Account, count: int) -> None:
    """Lay messages into its mailbox, each different."""
    [mount] = [one for one in system.container(account).attrs["Mounts"] if one["Type"] == "volume"]
    folder = Path(mount["Source"]) / "home/Maildir/cur"
    owner = folder.stat()
    for number in range(count):
        path = folder / f"1700000000.{number}.bench:2,S"
        path.write_bytes(b"Subject: %d\n\n" % number + os.urandom(_SIZE * 492).hex("\n", 36).encode())
        os.chown(path, owner.st_uid, owner.st_gid)


def _messages(system: SwarmSystem, account: Account) -> int:
    with system.mailbox(account) as mailbox:
        return int(mailbox.session.select("INBOX", readonly=True)[1][0] or 0)


class _Users:
    """The owner, who looks into the mailbox all the time, and somebody outside who writes every second."""

    def __init__(self, system: SwarmSystem, account: Account) -> None:
        self._system = system
        self._account = account
        self._ended = threading.Event()
        self._moments = [time.monotonic()]
        self.sent = 0
        self._threads = [threading.Thread(target=one) for one in (self._read, self._write)]

    def __enter__(self) -> "_Users":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(120)

    def longest(self) -> float:
        """Seconds between two looks that succeeded."""
        return max(after - before for before, after in itertools.pairwise(self._moments))

    def _read(self) -> None:
        # Once more after the end, however long that takes.
        last = False
        while not last:
            last = self._ended.is_set()
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                _messages(self._system, self._account)
                self._moments.append(time.monotonic())
            self._ended.wait(0.1)

    def _write(self) -> None:
        while not self._ended.wait(1):
            self._system.post(self._account.short_address)
            self.sent += 1
