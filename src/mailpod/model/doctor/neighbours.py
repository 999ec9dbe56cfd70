"""Whether addresses that lie in the machine's own network are answered for there."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv6Address, IPv6Network

from mailpod.model.doctor.finding import Finding


def unanswered(needed: Mapping[str, str], answered: Iterable[IPv6Network]) -> dict[str, str]:
    """Those of the addresses, by whose they are, that nothing is said about.

    Args:
        answered: what the machine answers for.
    """
    known = list(answered)
    return {name: one for name, one in needed.items() if not any(IPv6Address(one) in part for part in known)}


def of_neighbours(missing: Mapping[str, str], prefix: str, interface: str) -> Iterator[Finding]:
    """Judge by the addresses that nobody answers for on the network of `interface`, of which `prefix` is a part."""
    if missing:
        name, address = next(iter(missing.items()))
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"nobody answers on {interface} for {address} of {name}{others}: the outside does not reach it over IPv6"
        do = f"run ndppd with a rule for {prefix} (docs/operator.md, IPv6, neighbour proxying)"
        yield Finding("error", what, interface, do)


def of_router(interface: str, *, ignored: bool, known: bool) -> Iterator[Finding]:
    """A machine that begins to forward, as Docker lets it, forgets the router that it has heard of.

    Args:
        ignored: what routers say on that network.
        known: it has a default route.
    """
    if ignored and not known:
        what = "the machine has no IPv6 default route, and as it forwards it does not listen to routers"
        yield Finding("error", what, interface, f"sysctl net.ipv6.conf.{interface}.accept_ra=2")
