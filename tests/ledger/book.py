"""The ledger: what was acknowledged to whom, and what became of it."""

import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.e2e.support.mail import WORD
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import ways
from tests.e2e.support.world import INBOX

OUTSIDE = "outside"
"""The place of what is sent to outside.test."""
_WORD = re.compile(WORD.pattern.encode())


@dataclass(frozen=True)
class Entry:
    """A message that somebody was told has been taken.

    Attributes:
        word: occurs in this message only.
        places: names of the accounts it is for, or `OUTSIDE`.
        sender: name of the account that wrote it, `OUTSIDE` for others.
    """

    word: str
    places: frozenset[str]
    sender: str


@dataclass(frozen=True)
class Copies:
    """A message that is in one place more often than it should.

    Attributes:
        ways: the Received headers of each copy that lies in an inbox.
    """

    entry: Entry
    place: str
    count: int
    ways: list[list[str]]

    def __str__(self) -> str:
        return f"{self.count} times at {self.place}: {self.entry}, by {self.ways}"


@dataclass
class Verdict:
    """What became of the entries.

    Attributes:
        delivered, returned: how many lie where they belong, and how many came back to their senders.
        lost: neither.
        twice: more than once in one place.
        astray: where they do not belong.
        cut_short: what lies in mailboxes without its end: the mailbox, and the word if there is as much.
    """

    delivered: int = 0
    returned: int = 0
    lost: list[Entry] = field(default_factory=list)
    twice: list[Copies] = field(default_factory=list)
    astray: list[Copies] = field(default_factory=list)
    cut_short: list[tuple[str, str]] = field(default_factory=list)


class Ledger:
    """Written by many senders at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: list[Entry] = []

    def enter(self, entry: Entry) -> None:
        """Note what was acknowledged."""
        with self._lock:
            self.entries.append(entry)

    def verdict(self, system: System, accounts: Iterable[Account], earlier: Mapping[str, Iterable[Account]]) -> Verdict:
        """Compare the entries with what lies in all mailboxes and outside now.

        Args:
            earlier: by the names of accounts that were restored, what they were before: a message may be in either.
        """
        by_name = {account.name: account for account in accounts}
        found = {name: in_mailbox(system, account) for name, account in by_name.items()}
        for name, ones in earlier.items():
            for one in ones:
                found[name] |= in_mailbox(system, one)
        found[OUTSIDE] = outside(system)
        verdict = Verdict(cut_short=[(name, word) for name, there in found.items() for word in there.cut_short])
        for entry in self.entries:
            counts = {place: there.subjects[entry.word] for place, there in found.items()}
            copies = {place: counts[place] for place in entry.places}
            for place, count in counts.items():
                if count > (place in entry.places):
                    way = ways(system, by_name[place], entry.word) if place != OUTSIDE else []
                    wrong = verdict.twice if place in entry.places else verdict.astray
                    wrong.append(Copies(entry, place, count, way))
            if all(copies.values()):
                verdict.delivered += 1
            elif entry.word in found[entry.sender].reports:
                verdict.returned += 1
            else:
                verdict.lost.append(entry)
        return verdict


@dataclass
class Found:
    """What is in one place.

    Attributes:
        subjects: how often each word is in the subject of a message.
        reports: words of messages that a report says were not delivered.
        cut_short: words of messages that have no end.
    """

    subjects: Counter[str]
    reports: set[str]
    cut_short: list[str] = field(default_factory=list)

    def __or__(self, other: "Found") -> "Found":
        """What is in either place, as often as in the one that has more of it."""
        return Found(self.subjects | other.subjects, self.reports | other.reports, self.cut_short + other.cut_short)


def in_mailbox(system: System, account: Account) -> Found:
    """What lies in all folders of an account."""
    found = Found(Counter(), set())
    with system.mailbox(account) as mailbox:
        for folder in mailbox.folders():
            found.subjects.update(mailbox.words(folder))
            found.cut_short += mailbox.cut_short(folder)
            if folder == "INBOX":
                found.reports = {word.decode() for raw in mailbox.reports() for word in _WORD.findall(raw)}
    return found


def outside(system: System) -> Found:
    """What has arrived at outside.test, reports to its senders among it."""
    # A report's own subject names no message; those that it returns stand in its body.
    _, subjects = system.world.run("sh", "-c", f"grep -rhm1 '^Subject: ' {INBOX}")
    script = f"grep -rl '^Content-Type: multipart/report' {INBOX} | xargs -r grep -ho '^Subject: .*'"
    _, reports = system.world.run("sh", "-c", script)
    words = [line.split()[-1] for line in subjects.splitlines() if len(line.split()) > 1]
    return Found(Counter(words), {line.split()[-1] for line in reports.splitlines() if len(line.split()) > 1})
