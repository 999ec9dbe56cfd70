"""How records get to name servers elsewhere: by dynamic update, or through the API of a DNS provider."""

import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mailpod.model.errors import InvalidInput
from mailpod.model.records import DNS_PORT


class _Options(NamedTuple):
    """What a provider's API wants to know; the fixed ones are the same for everybody."""

    needed: tuple[str, ...]
    more: tuple[str, ...] = ()
    fixed: Mapping[str, str] = {}


_TOKEN = _Options(("token",))
_PROVIDERS: Mapping[str, _Options] = {
    "cloudflare": _Options(("token",), ("email",)),
    "digitalocean": _TOKEN,
    "gandi": _TOKEN,
    "hetzner": _Options(("token",), fixed={"backend": "hcloud"}),
    "ovh": _Options(("endpoint", "application_key", "application_secret", "consumer_key")),
    "powerdns": _Options(("host", "api_key"), ("port", "scheme", "server_id")),
}
PROVIDERS = tuple(_PROVIDERS)
"""Names of the providers whose API is known."""


class UpdateKey(BaseModel):
    """A key that is shared with a name server (TSIG, RFC 8945); the secret is base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    algorithm: str
    secret: str = Field(repr=False)


class Way(BaseModel):
    """One of both ways.

    Attributes:
        server: address of the name server that takes updates (RFC 2136); empty for a provider's API.
        key: what they are signed with.
        provider: one of `PROVIDERS`; empty for updates.
        options: what its API wants to know, as `octodns` calls it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: str = ""
    port: int = Field(default=DNS_PORT, ge=1, le=65535)
    key: UpdateKey | None = None
    provider: str = ""
    options: dict[str, str | int] = Field(default={}, repr=False)

    @model_validator(mode="after")
    def _is_one(self) -> "Way":
        if bool(self.provider) == bool(self.server and self.key):
            raise ValueError("it is either a server with a key, or a provider")
        return self

    @property
    def place(self) -> str:
        """Where it leads, for people."""
        return self.provider or self.server


def options_from(provider: str, text: str) -> dict[str, str | int]:
    """What a provider's API wants to know, from a file of credentials: TOML, one `NAME = "VALUE"` a line.

    Args:
        provider: one of `PROVIDERS`.

    Raises:
        InvalidInput: it is no TOML, or not what this provider wants.
    """
    wanted = _PROVIDERS[provider]
    hint = "write one a line: " + ", ".join(f'{name} = "…"' for name in wanted.needed)
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the credentials cannot be read: {error}", hint) from None
    unknown = sorted(found.keys() - {*wanted.needed, *wanted.more})
    missing = [name for name in wanted.needed if name not in found]
    if unknown or missing:
        what = f"{unknown[0]!r} is not known" if unknown else f"{missing[0]!r} is missing"
        raise InvalidInput(f"{what} in the credentials for {provider}", hint)
    if not all(isinstance(one, str | int) for one in found.values()):
        raise InvalidInput(f"the credentials for {provider} are texts and numbers", hint)
    return {**found, **wanted.fixed}
