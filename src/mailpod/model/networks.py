"""The networks of a system, and the addresses on them.

Each network has an IPv4 subnet that was free when it was made and a /80 of the system's IPv6 prefix. An account's
address is its id, 48 bits, in that /80: it is the account's for good, and no other account ever has it.
"""

import functools
import secrets
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import chain

from mailpod.model.errors import InvalidInput, MailpodError

CAPACITY = 800
"""Accounts on one network: a Linux bridge takes 1023 ports (BR_MAX_PORTS), and some are others'."""

_LENGTH = 80
_LONGEST_ROUTED = 64
_PRIVATE = IPv4Network("172.16.0.0/12")
# Room for every account in the upper half; the engine gives nothing away below it.
_IPV4_LENGTH = 21


def unique_local_prefix() -> str:
    """A random /64 of unique local addresses (RFC 4193 section 3.2)."""
    packed = b"\xfd" + secrets.token_bytes(5) + b"\0\0" + bytes(8)
    return str(IPv6Network((packed, _LONGEST_ROUTED)))


def routed_prefix(text: str) -> str:
    """Check a prefix that the operator says is routed to this host.

    Raises:
        InvalidInput: it is no IPv6 prefix of at most 64 bits, nor one of 80 bits inside a network's own 64.
    """
    try:
        prefix = IPv6Network(text)
    except ValueError as error:
        raise InvalidInput(
            f"--ipv6-prefix {text!r} is no IPv6 prefix: {error}", "give one like 2001:db8:1:2::/64"
        ) from None
    if prefix.prefixlen > _LONGEST_ROUTED and prefix.prefixlen != _LENGTH:
        raise InvalidInput(
            f"--ipv6-prefix {text} is a /{prefix.prefixlen}",
            "give a /64 or larger that is routed to this machine, or a /80 of the machine's own network",
        )
    if prefix.is_multicast or prefix.is_loopback or prefix.is_link_local or not prefix.prefixlen:
        raise InvalidInput(f"--ipv6-prefix {text} cannot be routed", "give one like 2001:db8:1:2::/64")
    return str(prefix)


def most(prefix: str) -> int:
    """How many networks the prefix has room for."""
    return int(2 ** (_LENGTH - IPv6Network(prefix).prefixlen))


@functools.lru_cache
def ipv6_subnet(prefix: str, index: int) -> IPv6Network:
    """The /80 of the network `index`.

    Raises:
        MailpodError: the prefix has no room for so many.
    """
    if index >= most(prefix):
        raise MailpodError(
            f"{prefix} has no room for more than {most(prefix) * CAPACITY} accounts",
            "give a larger prefix: mailpod up DOMAIN --ipv6-prefix PREFIX",
        )
    first = int(IPv6Network(prefix).network_address)
    return IPv6Network((first + (index << (128 - _LENGTH)), _LENGTH))


def account_address(prefix: str, index: int, account: str) -> IPv6Address:
    """The address of the account with this id, 12 hexadecimal digits, on the network `index`."""
    return ipv6_subnet(prefix, index)[int(account, 16)]


def main_addresses(ipv4: str, prefix: str, index: int) -> tuple[IPv4Address, IPv6Address]:
    """Main's two addresses on the network `index`, whose IPv4 subnet is `ipv4`. The first of each is the gateway's."""
    return IPv4Network(ipv4)[2], ipv6_subnet(prefix, index)[2]


def claimed_main_address(prefix: str) -> IPv6Address:
    """Main's on a Swarm's machine with this prefix: below all accounts', and far above what the engine counts up to."""
    return ipv6_subnet(prefix, 0)[(1 << 32) - 1]


def claimed_nameserver_address(prefix: str) -> IPv6Address:
    """The name server's there: next to main's."""
    return claimed_main_address(prefix) - 1


def nameserver_addresses(ipv4: str, prefix: str) -> tuple[IPv4Address, IPv6Address]:
    """The name server's two addresses on the first network, whose IPv4 subnet is `ipv4`: next to main's."""
    return IPv4Network(ipv4)[3], ipv6_subnet(prefix, 0)[3]


def antivirus_addresses(ipv4: str, prefix: str) -> tuple[IPv4Address, IPv6Address]:
    """Those of what looks for viruses, likewise: what has none of its own could be given the name server's."""
    return IPv4Network(ipv4)[4], ipv6_subnet(prefix, 0)[4]


def gateway(subnet: str) -> str:
    """The host's own address on a subnet."""
    return str(ip_network(subnet)[1])


def dynamic(ipv4: str) -> str:
    """The part of an IPv4 subnet from which the engine gives accounts an address: never main's."""
    _, upper = IPv4Network(ipv4).subnets()
    return str(upper)


def _in_any_order(part: IPv4Network) -> list[IPv4Network]:
    candidates = list(part.subnets(new_prefix=_IPV4_LENGTH))
    secrets.SystemRandom().shuffle(candidates)
    return candidates


def free_ipv4(taken: Iterable[str]) -> str:
    """A private subnet (RFC 1918) for one more network.

    Rather one of the upper half: an engine gives its own networks the first that are free, also on a machine that joins
    a Swarm later.

    Args:
        taken: subnets that are somebody's already, of either family.

    Raises:
        MailpodError: nothing is free.
    """
    there = [net for net in map(ip_network, taken) if isinstance(net, IPv4Network) and net.prefixlen]
    lower, upper = _PRIVATE.subnets()
    for one in chain(*map(_in_any_order, (upper, lower))):
        if not any(map(one.overlaps, there)):
            return str(one)
    raise MailpodError(
        f"no subnet of {_PRIVATE} is free for the accounts", "remove container networks that nothing uses"
    )
