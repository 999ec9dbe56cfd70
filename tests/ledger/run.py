"""One run: senders send, one trouble after another comes, and at the end the ledger has to be right."""

import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

from docker.errors import APIError
from tests.e2e.support.engine import execute
from tests.e2e.support.own_engine import OwnEngine
from tests.e2e.support.system import Account, System
from tests.ledger.book import OUTSIDE, Ledger, Verdict
from tests.ledger.senders import ALIAS, Senders
from tests.ledger.troubles import TROUBLES, Scene, Trouble, recover
from tests.ledger.versions import Newer

_AT_ONCE = 0.3
"""How often the next trouble does not wait until the one before is got over."""
_PATIENCE = 180.0
_BETWEEN = 10.0
"""Each hurry adds a header to what waits (postconf(5), hopcount_limit)."""


@dataclass
class Report:
    """How it went.

    Attributes:
        seed: makes the same choices again.
        happened: how often each trouble came.
        stumbled: what failed because something else had just happened.
        sent_twice: copies that arrived outside more than once: whoever is killed between the other side's "250" and its
            own note of it sends again, and no outside server knows that (RFC 1047).
    """

    seed: int
    verdict: Verdict
    happened: Counter[str] = field(default_factory=Counter)
    stumbled: list[str] = field(default_factory=list)

    @property
    def sent_twice(self) -> int:
        """How many arrived outside more than once."""
        return sum(copies.place == OUTSIDE for copies in self.verdict.twice)

    @property
    def wrong(self) -> list[str]:
        """What must not be: messages that are lost, or in a mailbox twice, in part or where they do not belong."""
        lost = [f"lost: {entry}" for entry in self.verdict.lost]
        astray = [f"astray: {copies}" for copies in self.verdict.astray]
        parts = [f"cut short at {place}: {word or 'without a subject'}" for place, word in self.verdict.cut_short]
        return lost + astray + parts + [str(copies) for copies in self.verdict.twice if copies.place != OUTSIDE]

    def __str__(self) -> str:
        v = self.verdict
        return (
            f"seed {self.seed}: {v.delivered} delivered, {v.returned} returned, {len(v.lost)} lost, "
            f"{len(v.twice) - self.sent_twice} twice, "
            f"{len(v.cut_short)} cut short, {self.sent_twice} sent twice outside; "
            + ", ".join(f"{count} {name}" for name, count in self.happened.items())
        )


def run(
    system: System, engine: OwnEngine, accounts: list[Account], seconds: float, seed: int, say: Callable[[str], None]
) -> Report:
    """Let things happen for so long, then wait until every message is somewhere.

    Args:
        accounts: at least three; the last is moved about.
        say: told what happens.
    """
    say(f"seed {seed}")
    chance = random.Random(seed)
    system.cli.ok("alias", "add", ALIAS, *(account.name for account in accounts[:-1]))
    system.cli.ok("backup", "to", str(system.folder / "backups"))
    ledger = Ledger()
    scene = Scene(system, engine, accounts, chance, Newer(system, system.folder / "newer"))
    report = Report(seed, Verdict())
    end = time.monotonic() + seconds
    with Senders(system, accounts, ledger, seed).sending(), _told(report):
        while time.monotonic() < end:
            for trouble in chance.sample(TROUBLES, len(TROUBLES)):
                if time.monotonic() < end:
                    _strike(trouble, scene, report, say)
        recover(scene)
    report.verdict = _settled(scene, ledger)
    say(str(report))
    return report


@contextmanager
def _told(report: Report) -> Iterator[None]:
    """Who reads that it was never whole again learns what had happened until then."""
    try:
        yield
    except AssertionError as problem:
        happened = ", ".join([*report.happened, *report.stumbled])
        raise AssertionError(f"{problem}; seed {report.seed}, after {happened}") from problem


def _strike(trouble: Trouble, scene: Scene, report: Report, say: Callable[[str], None]) -> None:
    name = trouble.__name__.replace("_", " ")
    say(name)
    report.happened[name] += 1
    try:
        trouble(scene)
    except (AssertionError, APIError, OSError, ValueError, subprocess.TimeoutExpired) as problem:
        report.stumbled.append(f"{name}: {problem}")
        say(f"{name} stumbled: {problem}")
        recover(scene)
    if scene.chance.random() > _AT_ONCE:
        recover(scene)


def _under_way(scene: Scene) -> bool:
    """Whether main or an account has something to deliver; what is on hold stays where it is."""
    there = [scene.system.main, *(scene.container(account) for account in scene.accounts)]
    said = [line for one in there for line in execute(one, "postqueue", "-j")[1].splitlines()]
    return any(json.loads(line)["queue_name"] != "hold" for line in said if line.startswith("{"))


def _settled(scene: Scene, ledger: Ledger) -> Verdict:
    """What the ledger says once nothing is under way any more, or too long has passed."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        scene.system.retry_now()
        for account in (*scene.accounts, *chain(*scene.earlier.values())):
            scene.container(account).exec_run(["postqueue", "-f"])
        looked = time.monotonic()
        while time.monotonic() < min(looked + _BETWEEN, deadline):
            # First: what is under way now may be a second copy.
            quiet = not _under_way(scene)
            verdict = ledger.verdict(scene.system, scene.accounts, scene.earlier)
            if quiet and not verdict.lost:
                return verdict
            time.sleep(1)
        if time.monotonic() > deadline:
            return verdict
