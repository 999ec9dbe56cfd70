"""Certificates near their end."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mailpod.model.doctor.finding import Finding, Repair

_SOON = timedelta(days=21)
_AUTHORITY_SOON = timedelta(days=365)


def of_certificate(
    what: str, where: str, ends: datetime, now: datetime, do: str = "mailpod apply", repair: Repair = "apply"
) -> Iterator[Finding]:
    """Judge how long a certificate is still good.

    Args:
        what: whose it is, such as `the certificate of alice`.
    """
    yield from _judged(what, where, ends, now, _SOON, do, repair)


def of_authority(where: str, ends: datetime, now: datetime) -> Iterator[Finding]:
    """Judge that of the system's own authority, which all its clients have to be told of when there is another."""
    do = f"remove {where} and ca_key.pem beside it, then: mailpod apply; have clients trust the new one: mailpod ca"
    yield from _judged("the certificate of the authority", where, ends, now, _AUTHORITY_SOON, do, "")


def _judged(
    what: str, where: str, ends: datetime, now: datetime, soon: timedelta, do: str, repair: Repair
) -> Iterator[Finding]:
    left = ends - now
    if left < timedelta(0):
        yield Finding("error", f"{what} has ended on {ends:%Y-%m-%d}", where, do, repair)
    elif left < soon:
        yield Finding("warning", f"{what} ends on {ends:%Y-%m-%d}", where, do, repair)
