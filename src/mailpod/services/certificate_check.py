"""What `dns check` finds of the certificate that main shows at its public addresses."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from mailpod.model import layout
from mailpod.model.records import PORTS, System, now
from mailpod.model.tables import system_host
from mailpod.services.answer import Answer
from mailpod.services.dialling import Dial, reason

if TYPE_CHECKING:
    from mailpod.services.lookup import Resolver

# By the key of the server itself, the only sort that our zone has (RFC 7672 section 3.1.1).
_BY_KEY = "3 1 1 "


def asked(system: System, resolver: "Resolver", dial: Dial) -> Iterator[Callable[[], Answer]]:
    """What there is to be looked at, one by one."""
    for address in layout.public_addresses(system):
        for service in ("smtp", "https"):
            yield partial(_shown, system, resolver, dial, address, service)


def _shown(system: System, resolver: "Resolver", dial: Dial, address: str, service: str) -> Answer:
    """Whether a certificate holds, is for main, and has the key that the DNS tells."""
    from cryptography import x509

    from mailpod.services.certificates import digest, names_of

    # What is routed to main itself comes to its own ports, not to the machine's.
    port = system.port(service) if "." in address else PORTS[service]
    kind, host = f"{port}/tcp certificate", system_host(system)
    told = partial(Answer, address, kind, required=False)
    try:
        certificate = x509.load_der_x509_certificate(dial.certificate(address, port, starttls=service == "smtp"))
    except OSError as error:
        return told("unknown", ("valid",), (), hint=f"none is shown: {reason(error)}")
    except ValueError as error:
        return told("wrong", ("valid",), (), hint=f"it cannot be read ({error}): another server has this port")
    anew = "mailpod certificate renew" if system.acme_email else "mailpod apply"
    end = certificate.not_valid_after_utc
    if not certificate.not_valid_before_utc <= now() < end:
        hint = f"others take it for a forgery; see that the clock is right, and have another one made: {anew}"
        return told("wrong", ("valid",), (f"valid until {end:%Y-%m-%d %H:%M} UTC",), hint=hint)
    try:
        names = names_of(certificate)
    except x509.ExtensionNotFound:
        names = ()
    if host not in names:
        return told("wrong", (host,), names, hint=f"another server has this port, or this is an old one: {anew}")
    keys = _keys(resolver, f"_{PORTS[service]}._tcp.{host}")
    key = f"{_BY_KEY}{digest(certificate.public_key())}"
    if keys and key not in keys:
        hint = "who verifies by the DNS (DANE) sends nothing here; have both made the same: mailpod apply"
        return Answer(address, kind, "wrong", keys, (key,), True, hint)
    return told("right", ("valid",), ("valid",))


def _keys(resolver: "Resolver", name: str) -> tuple[str, ...]:
    """What the DNS tells of them; nothing where it does not answer, which is told of the record itself."""
    from mailpod.services.lookup import Unknown

    try:
        return tuple(sorted(one.lower() for one in resolver.ask(name, "TLSA") if one.startswith(_BY_KEY)))
    except Unknown:
        return ()
