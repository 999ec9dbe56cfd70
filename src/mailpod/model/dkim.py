"""DKIM (RFC 6376): the keys that mail is signed with, as data, and what the DNS says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Algorithm = Literal["rsa", "ed25519"]

_PUBLISHED_AFTER = timedelta(days=7)


class SigningKey(BaseModel):
    """One key under its selector.

    Attributes:
        selector: its name in the DNS, which no other key of the domain ever has.
        algorithm: RSA with 2048 bits, which everybody verifies, or Ed25519 (RFC 8463).
        private: base64 of an RSA key's DER (PKCS #8), or of the 32 bytes of an Ed25519 one.
        public: base64 as its record has it: of an RSA key's DER (SubjectPublicKeyInfo), or of 32 bytes.
        retired: since when it signs no more, and is only published.
        new: it is only published as yet, and signs once others can find it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    selector: str
    algorithm: Algorithm
    private: str = Field(repr=False)
    public: str
    retired: datetime | None = None
    new: bool = False

    def record(self, domain: str) -> str:
        """The name of its TXT record (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{domain}"

    @property
    def text(self) -> str:
        """The text of its TXT record (RFC 6376 section 3.6.1)."""
        return f"v=DKIM1; k={self.algorithm}; p={self.public}"

    def is_told_by(self, value: str) -> bool:
        """Whether a TXT record's value is its text, however that is cut into strings."""
        return value.strip('"').replace('" "', "") == self.text


class SigningKeys(BaseModel):
    """All keys of the organisation's domain, or of an account's subdomain: what lies in one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[SigningKey, ...]

    @property
    def signing(self) -> tuple[SigningKey, ...]:
        """Those that sign, in the order of the signatures."""
        return tuple(key for key in self.keys if key.retired is None and not key.new)

    @property
    def waiting(self) -> tuple[SigningKey, ...]:
        """Those that do not sign yet."""
        return tuple(key for key in self.keys if key.new)

    def announced(self, new: "SigningKeys") -> "SigningKeys":
        """With new keys, which are to be published before they sign; others that were, have signed nothing, and go."""
        fresh = (key.model_copy(update={"new": True}) for key in new.keys)
        return SigningKeys(keys=(*fresh, *(key for key in self.keys if not key.new)))

    def begun(self, now: datetime) -> "SigningKeys":
        """The new ones sign from now on; the old ones stay published, for mail that is still on its way."""
        new = (key.model_copy(update={"new": False}) for key in self.waiting)
        old = (key if key.retired else key.model_copy(update={"retired": now}) for key in self.keys if not key.new)
        return SigningKeys(keys=(*new, *old)).current(now)

    def current(self, now: datetime) -> "SigningKeys":
        """Without those that have signed nothing for a week: no mail waits longer than five days."""
        kept = (key for key in self.keys if key.retired is None or now - key.retired < _PUBLISHED_AFTER)
        return SigningKeys(keys=tuple(kept))


@dataclass(frozen=True)
class DkimRecord:
    """A key in the DNS: the TXT record `SELECTOR._domainkey.DOMAIN` and its text, not yet cut into strings."""

    domain: str
    selector: str
    text: str


def records(keys: Mapping[str, SigningKeys]) -> list[DkimRecord]:
    """Every key that is published.

    Args:
        keys: by domain.
    """
    return [DkimRecord(domain, key.selector, key.text) for domain, ours in keys.items() for key in ours.keys]
