"""What the rest of the world finds in the DNS, beside what it should find."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from mailpod.model import layout, zone
from mailpod.model.tables import system_host
from mailpod.services import dns
from mailpod.services.context import Context

if TYPE_CHECKING:
    from mailpod.services.lookup import Resolver

Verdict = Literal["right", "missing", "wrong", "unknown"]

_AT_ONCE = 16
_BLOCKLISTS = ("zen.spamhaus.org", "bl.spamcop.net")
# What a list answers to a resolver that asks too much is no verdict (spamhaus.org, "DNSBL usage").
_NO_VERDICT = "127.255.255."
# Others may add to these without harm: another secondary, another service's proof of ownership.
_OPEN = {"NS", "TXT"}


@dataclass(frozen=True)
class Finding:
    """One set of records, as it should be and as it is.

    Attributes:
        name: its owner, without the final dot.
        kind: its type.
        verdict: `unknown` when the resolver did not tell.
        wanted: values that should be there.
        found: values that are there.
        required: mail does not work without.
        hint: what to do, if anything.
    """

    name: str
    kind: str
    verdict: Verdict
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    required: bool
    hint: str = ""


def check(context: Context, resolver: "Resolver") -> list[Finding]:
    """Ask for every record of the zone, for what the parent zone and the reverse zones have, and for blocklists.

    Raises:
        MailpodError: the operator's own records, or the system's name server, cannot be read.
    """
    system = context.system
    ordered = sorted(dns.records(context), key=attrgetter("name", "kind"))
    asked: list[Callable[[], Finding]] = []
    for (name, kind), group in groupby(ordered, key=attrgetter("name", "kind")):
        records = list(group)
        wanted = [one.data for one in records]
        asked.append(partial(_compare, resolver, name, kind, wanted, required=any(one.required for one in records)))
    delegation = dns.delegation(context)
    if delegation:
        hint = "give these values to the registrar, so that others trust the zone's signatures"
        asked.append(partial(_compare, resolver, system.domain, "DS", delegation, hint=hint))
    for address in layout.public_addresses(system):
        hint = f"have the provider name {address} {system_host(system)}"
        name = ip_address(address).reverse_pointer
        asked.append(
            partial(_compare, resolver, name, "PTR", [f"{system_host(system)}."], required="." in address, hint=hint)
        )
        asked += [partial(_listed, resolver, address, where) for where in _BLOCKLISTS]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda ask: ask(), asked))


def _compare(
    resolver: "Resolver", name: str, kind: str, wanted: Iterable[str], *, required: bool = False, hint: str = ""
) -> Finding:
    from mailpod.services.lookup import Unknown, canonical

    expected = {canonical(kind, one) for one in wanted}
    try:
        found = resolver.ask(name, kind)
    except Unknown as problem:
        return Finding(name, kind, "unknown", tuple(sorted(expected)), (), required, str(problem))
    relevant = found & expected | {one for one in found if kind not in _OPEN or zone.rivals(one, expected)}
    verdict: Verdict = "right" if relevant == expected else "wrong" if relevant else "missing"
    if verdict != "right" and not hint:
        hint = "see: mailpod dns show"
    return Finding(
        name, kind, verdict, tuple(sorted(expected)), tuple(sorted(found)), required, "" if verdict == "right" else hint
    )


def _listed(resolver: "Resolver", address: str, where: str) -> Finding:
    """Whether a list has the address (RFC 5782)."""
    from mailpod.services.lookup import Unknown

    turned = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    name = f"{turned}.{where}"
    try:
        found = resolver.ask(name, "A")
    except Unknown as problem:
        return Finding(name, "A", "unknown", (), (), required=False, hint=str(problem))
    if any(one.startswith(_NO_VERDICT) for one in found):
        return Finding(
            name, "A", "unknown", (), tuple(found), required=False, hint=f"{where} does not answer this resolver"
        )
    hint = f"{address} is on the list {where}: see there why, and ask to be removed" if found else ""
    return Finding(name, "A", "wrong" if found else "right", (), tuple(sorted(found)), required=False, hint=hint)
