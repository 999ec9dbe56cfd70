"""What main refused to accounts, or limited, as its daemons wrote it down."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from mailpod.model.errors import MailpodError
from mailpod.model.records import Account
from mailpod.services.context import Context

RECENT = timedelta(days=1)


@dataclass(frozen=True)
class Refusals:
    """What one account was refused of late.

    Attributes:
        kind: one word for the reason: `sender`, `from`, `rate`, `internet`, `guessing`.
        count: how often within `RECENT`; a flood counts once a second.
        last: when it happened last.
        detail: what was said then.
    """

    account: str
    kind: str
    count: int
    last: datetime
    detail: str


def refusals(context: Context, accounts: Iterable[Account], now: datetime) -> list[Refusals] | None:
    """By account and kind, what was refused within the last day; None when main does not say."""
    try:
        said = context.channel.main("refusals").decode(errors="replace")
    except MailpodError:
        return None
    since = {account.name: max(account.created, now - RECENT) for account in accounts}
    found: dict[tuple[str, str], Refusals] = {}
    for name, epoch, kind, detail in sorted(_lines(said), key=itemgetter(1)):
        last = datetime.fromtimestamp(epoch, UTC)
        # What an older account of the same name did is not this one's.
        if name not in since or last < since[name]:
            continue
        before = found.get((name, kind))
        found[name, kind] = Refusals(name, kind, before.count + 1 if before else 1, last, detail)
    return [found[key] for key in sorted(found)]


def _lines(said: str) -> Iterable[tuple[str, int, str, str]]:
    """`NAME EPOCH KIND DETAIL`; what a daemon that was killed left half written is none."""
    for line in said.splitlines():
        words = line.split(" ", 3)
        if len(words) == 4 and words[1].isascii() and words[1].isdecimal() and len(words[1]) < 12:
            yield words[0], int(words[1]), words[2], words[3]
