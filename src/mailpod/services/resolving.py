"""How main finds and knows the mail servers of others: its resolver, and what it trusts.

    trust/anchors           DS or DNSKEY records that main's resolver trusts instead of the root's keys
    trust/authorities.pem   authorities that main trusts beside the public ones to certify mail servers outside

Both are the operator's, for networks with a root or an authority of their own.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from mailpod.model import resolving
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import System
from mailpod.services.context import Context
from mailpod.store import Store

_HINT = "correct or remove that file; see docs/internet.md, To whom mail goes"


@dataclass(frozen=True)
class Resolver:
    """What main's resolver does.

    Attributes:
        address: whom it asks; empty for the root servers.
        state: `verified`, `unverified` where the operator trusts all answers, `bogus` when what it hears is not signed
            as it should be, `silent` when it hears nothing, `unknown` when main does not say.
        reason: what it says itself of the last two.
    """

    address: str
    state: str
    reason: str = ""


def tables(store: Store, system: System) -> dict[str, str]:
    """Main's tables of it.

    Raises:
        InvalidInput: a file of the operator's holds something else.
    """
    return resolving.render(system, _anchors(store), authorities(store))


def check(store: Store) -> None:
    """Refuse what the operator wants trusted, if it is something else; raises like `tables`."""
    _anchors(store)
    authorities(store)


def resolver(context: Context, *, runs: bool) -> Resolver:
    """What main's resolver does at this moment, asked for the root zone.

    Args:
        runs: main does.
    """
    address = context.system.resolver
    if not runs:
        return Resolver(address, "unknown")
    try:
        state, _, reason = context.channel.main("resolver").decode(errors="replace").strip().partition(" ")
    except MailpodError:
        return Resolver(address, "unknown")
    return Resolver(address, state or "unknown", reason)


def problems(system: System, found: Resolver) -> list[str]:
    """What is wrong with main's resolver, and what to do; nothing on a machine where it is to reach nobody."""
    if found.address and ip_address(found.address).is_loopback:
        return []
    whom = found.address or "the root servers"
    again = f"mailpod up {system.domain} --resolver ADDRESS"
    if found.state == "silent":
        return [f"no answers of the DNS from {whom} ({found.reason}); mail for the outside waits; ask another: {again}"]
    if found.state == "bogus":
        wrong = f"answers of the DNS from {whom} are not signed as they should be ({found.reason})"
        return [f"{wrong}; mail for the outside waits; ask another, one that gives signatures (DNSSEC): {again}"]
    if found.state == "unverified":
        return ["answers of the DNS are not verified: trust/anchors in the state folder is empty"]
    return []


def _anchors(store: Store) -> list[str] | None:
    path = store.folder / "trust" / "anchors"
    if not path.exists():
        return None
    from dns.exception import DNSException
    from dns.rdatatype import DNSKEY, DS
    from dns.zonefile import read_rrsets

    try:
        found = read_rrsets(path.read_text(), rdclass=None, default_ttl=0)
    except (OSError, UnicodeDecodeError, DNSException) as error:
        raise InvalidInput(f"{path} cannot be used: {error}", _HINT) from error
    for rrset in found:
        if rrset.rdtype not in {DS, DNSKEY}:
            raise InvalidInput(f"{path} has a record of {rrset.name} that is neither DS nor DNSKEY", _HINT)
    return [f"{rrset.name} {rrset.rdtype.name} {data}" for rrset in found for data in rrset]


def authorities(store: Store) -> str:
    """The authorities that the operator wants trusted beside the public ones, PEM; raises like `tables`."""
    path = store.folder / "trust" / "authorities.pem"
    if not path.exists():
        return ""
    try:
        return certificates(path, path.read_text(), _HINT)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be used: {error}", _HINT) from error


def certificates(path: Path, text: str, hint: str) -> str:
    """The certificates in a PEM file, and nothing else that is in it.

    Args:
        path: where the text is from.
        hint: what to do if there are none.

    Raises:
        InvalidInput: it holds no certificate, or a private key.
    """
    if "PRIVATE KEY" in text:
        raise InvalidInput(f"{path} holds a private key", hint)
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    try:
        found = load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise InvalidInput(f"{path} holds no certificate", hint) from error
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in found)
