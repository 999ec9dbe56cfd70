"""The certificates that clients see, as data: who is asked for them, and what came of it."""

import hashlib
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mailpod.model.records import System

State = Literal["own", "waiting", "valid", "due", "failed", "expired"]
"""What is known of a certificate: it is of the system's own authority, and to stay so (`own`) or not (`waiting`); a
public one is good for a while (`valid`), soon to be replaced (`due`), could not be had (`failed`), or is over
(`expired`)."""

_FIRST_PAUSE = timedelta(hours=1)
_LONGEST_PAUSE = timedelta(hours=12)
# as often as that takes
_DOUBLED = 4


class Trouble(BaseModel):
    """Why there is no certificate, and until when nothing more is tried.

    Attributes:
        last: the last attempt.
        count: how many have failed, one after the other.
        settings: what was asked for then, as `settings` has it; with other settings it is none any more.
        problem: what was wrong. `hint`: what to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    last: datetime
    count: int = 1
    settings: str
    problem: str
    hint: str = ""

    @property
    def until(self) -> datetime:
        """When it is tried again: after an hour at first, then later and later, so that no server shuts us out."""
        return self.last + min(_FIRST_PAUSE * (1 << min(self.count - 1, _DOUBLED)), _LONGEST_PAUSE)


class Certificate(BaseModel):
    """What one element shows its clients.

    Attributes:
        key: private key, PEM. It stays when the certificate is renewed: the zone pins it (DANE, RFC 7672).
        own: a certificate for it by the system's own authority, PEM.
        chain: one by an ACME server with those above it, PEM; empty before the first.
        server: URL of that server's directory.
        first: when a certificate for these names came for the first time; servers count those.
        left_out: names it could not be for, because they do not lead here.
        handed: the element has been given the chain.
        trouble: why the last order came to nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(repr=False)
    own: str
    chain: str = ""
    server: str = ""
    first: datetime | None = None
    left_out: tuple[str, ...] = ()
    handed: bool = True
    trouble: Trouble | None = None


class AcmeAccount(BaseModel):
    """What we are known by to ACME servers, and why one cannot be asked.

    Attributes:
        key: private key, PEM.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(repr=False)
    trouble: Trouble | None = None


def settings(system: System) -> str:
    """A short digest of all that `up` was told of ACME."""
    said = f"{system.acme_email}\n{system.acme_server}\n{system.acme_ca}\n{system.dns}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def current(trouble: Trouble | None, system: System) -> Trouble | None:
    """A trouble, if it is one of the present settings."""
    return trouble if trouble and system.acme_email and trouble.settings == settings(system) else None
