"""What `up` is told of ACME servers."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from mailpod.model.errors import InvalidInput
from mailpod.model.records import LETS_ENCRYPT, System

_LONGEST_EMAIL = 254


@dataclass(frozen=True)
class AcmeOptions:
    """What `up` was told; None for what it was not.

    Attributes:
        email: `none` for no ACME server any more.
        server: URL of its directory.
        authority: certificates, PEM; empty for the public authorities again.
    """

    email: str | None = None
    server: str | None = None
    authority: str | None = None


def planned(system: System, options: AcmeOptions) -> System:
    """The installation with the ACME server that was asked for; what is not said is as it was.

    Raises:
        InvalidInput: an option cannot be accepted.
    """
    if options == AcmeOptions():
        return system
    if options.email == "none":
        if options != AcmeOptions("none"):
            raise InvalidInput("--acme-email none goes with no other --acme option", "leave the others out")
        return system.model_copy(update={"acme_email": "", "acme_server": LETS_ENCRYPT, "acme_ca": ""})
    if options.email is None and not system.acme_email:
        raise InvalidInput("nobody is asked for certificates yet", "say --acme-email ADDRESS")
    if options.email is not None:
        _check_email(options.email)
    if options.server is not None:
        _check_url(options.server)
    update = {"acme_email": options.email, "acme_server": options.server, "acme_ca": options.authority}
    return system.model_copy(update={key: value for key, value in update.items() if value is not None})


def _check_email(text: str) -> None:
    local, _, host = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and not set(text) & set(' ,;:?&<>"')
    if not plain or not local or "." not in host.strip(".") or len(text) > _LONGEST_EMAIL:
        raise InvalidInput(f"--acme-email {text!r} is not an address", "give one like you@example.org, or none")


def _check_url(text: str) -> None:
    hint = "give one like https://acme.example.org/directory"
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or " " in text or "@" in parts.netloc:
        raise InvalidInput(f"--acme-server {text!r} is not an https URL", hint)
