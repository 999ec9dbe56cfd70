"""Whether a machine's clock is right."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailpod.model.doctor.finding import Finding

# Signatures and one-time codes bear minutes, and people read the times of mail.
_LITTLE, _MUCH = 5.0, 300.0


def of_offset(offset: float, where: str, source: str, unsure: float = 0.0) -> Iterator[Finding]:
    """Judge by how many seconds a clock is ahead of a source (behind it, if negative).

    Args:
        unsure: by how much the measurement may be wrong.
    """
    off = abs(offset) - unsure
    if off > _LITTLE:
        way = "ahead of" if offset > 0 else "behind"
        what = f"the clock is {abs(offset):.0f} s {way} {source}"
        do = "let the machine keep its time: apt-get install systemd-timesyncd"
        yield Finding("error" if off > _MUCH else "warning", what, where, do)


def of_past(now: datetime, newest: datetime | None, what: str, where: str) -> Iterator[Finding]:
    """A clock cannot be right that is before something that has happened.

    Args:
        newest: when that was.
        what: it, such as `the record of alice`.
    """
    if newest and newest - now > timedelta(seconds=_LITTLE):
        told = f"the clock says {now:%Y-%m-%d %H:%M}, but {what} is of {newest:%Y-%m-%d %H:%M}"
        yield Finding("error", told, where, "set the clock; then: mailpod doctor")


def unknown(where: str, source: str) -> Finding:
    """Nobody could be asked."""
    what = f"whether the clock is right could not be known: {source} does not answer"
    return Finding("note", what, where, "mailpod doctor --time-server HOST asks another")
