"""Secondary name servers, which keep a copy of the zone: they are told of changes (RFC 1996) and fetch them (RFC 1995).

Each has a key of its own (TSIG, RFC 8945), known to both sides by the secondary's host name.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailpod.model.errors import InvalidInput
from mailpod.model.names import host_name, is_reserved
from mailpod.model.records import DNS_PORT

ALGORITHM = "hmac-sha256"


@dataclass(frozen=True)
class Secondary:
    """One secondary.

    Attributes:
        name: its host name, without the final dot.
        addresses: of its server, where it is told of changes.
        secret: of its key, base64.
    """

    name: str
    addresses: tuple[str, ...]
    secret: str = field(repr=False)


def checked(domain: str, name: str, addresses: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The host name and the addresses of a secondary, each in one way of writing.

    Args:
        domain: the organisation's.

    Raises:
        InvalidInput: one cannot be one, or the name has another meaning in the organisation's zone.
    """
    host = host_name(name)
    label = host.removesuffix(f".{domain}")
    if host == domain or (label != host and not (label.startswith("ns") and is_reserved(label) and label != "ns1")):
        raise InvalidInput(f"{host} has another meaning in the zone of {domain}", f"use one like ns2.{domain}")
    try:
        return host, tuple(dict.fromkeys(str(ip_address(one)) for one in addresses))
    except ValueError as error:
        raise InvalidInput(str(error), "give addresses like 192.0.2.53 and 2001:db8::53") from None


def primary_side(control: str, secondaries: Sequence[Secondary]) -> str:
    """Who may do what at the system's own name server, as a part of knot.conf(5): the control plane, and secondaries.

    Args:
        control: secret of the key that changes of the zone are signed with, base64.
    """
    keys = "".join(_knot_key(name, secret) for name, secret in [("control", control), *map(_key_of, secondaries)])
    text = f"key:\n{keys}"
    if secondaries:
        names = ", ".join(one.name for one in secondaries)
        remotes = "".join(_knot_remote(one.name, one.addresses, one.name) for one in secondaries)
        text += f"remote:\n{remotes}"
        text += f"remotes:\n  - id: secondaries\n    remote: [ {names} ]\n"
        text += f"acl:\n  - id: secondaries\n    key: [ {names} ]\n    action: transfer\n"
    return text


def digest(secondaries: Sequence[Secondary]) -> str:
    """Another one whenever what the name server is told of them is another; empty for none."""
    return hashlib.sha256(primary_side("", secondaries).encode()).hexdigest()[:16] if secondaries else ""


def for_knot(zone: str, primaries: Iterable[tuple[str, int]], secondary: Secondary) -> str:
    """What Knot DNS has to be told at the secondary (knot.conf(5)).

    Args:
        primaries: addresses of the system's own name server for the outside, each with its port.
    """
    where = [address if port == DNS_PORT else f"{address}@{port}" for address, port in primaries]
    name = secondary.name
    return (
        f"key:\n{_knot_key(name, secondary.secret)}"
        f"remote:\n{_knot_remote(f'primary.{zone}', where, name)}"
        f"acl:\n  - id: primary.{zone}\n    key: {name}\n    action: notify\n"
        f"zone:\n  - domain: {zone}\n    master: primary.{zone}\n    acl: primary.{zone}\n"
    )


def for_bind(zone: str, primaries: Iterable[tuple[str, int]], secondary: Secondary) -> str:
    """What BIND has to be told at the secondary (named.conf(5)); likewise."""
    servers = " ".join(f'{address} port {port} key "{secondary.name}";' for address, port in primaries)
    return (
        f'key "{secondary.name}" {{ algorithm {ALGORITHM}; secret "{secondary.secret}"; }};\n'
        f'zone "{zone}" {{\n    type secondary;\n    file "{zone}.zone";\n    primaries {{ {servers} }};\n'
        f'    allow-notify {{ key "{secondary.name}"; }};\n}};\n'
    )


def _key_of(secondary: Secondary) -> tuple[str, str]:
    return secondary.name, secondary.secret


def _knot_key(name: str, secret: str) -> str:
    return f"  - id: {name}\n    algorithm: {ALGORITHM}\n    secret: {secret}\n"


def _knot_remote(name: str, addresses: Iterable[str], key: str) -> str:
    return f"  - id: {name}\n    address: [ {', '.join(addresses)} ]\n    key: {key}\n"
