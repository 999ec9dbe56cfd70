"""What the rest of the world finds in the DNS, beside what it should find."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from mailpod.model import layout, zone
from mailpod.model.tables import system_host
from mailpod.services import dns, port_check
from mailpod.services.answer import Answer, Verdict
from mailpod.services.context import Context
from mailpod.services.dialling import Dial, dial

if TYPE_CHECKING:
    from mailpod.services.lookup import Resolver

_AT_ONCE = 16
_BLOCKLISTS = ("zen.spamhaus.org", "bl.spamcop.net")
# What a list answers to a resolver that asks too much is no verdict (spamhaus.org, "DNSBL usage").
_NO_VERDICT = "127.255.255."
# Others may add to these without harm: another secondary, another service's proof of ownership.
_OPEN = {"NS", "TXT"}


def check(
    context: Context,
    resolver: "Resolver",
    dialled: Dial = dial,
    reach: str = port_check.WELL_KNOWN,
    *,
    wildcards: bool = False,
) -> list[Answer]:
    """Ask for every record of the zone, for what the parent zone and the reverse zones have, and for blocklists.

    Besides, secondaries are asked how old their copy is, and ports are tried: the system's, and the way out.

    Args:
        dialled: how.
        reach: a domain whose mail server is tried, to see whether the provider lets mail out.
        wildcards: of accounts, ask for what stands for all of them alone.

    Raises:
        MailpodError: the operator's own records, or the system's name server, cannot be read.
    """
    system = context.system
    ordered = sorted(dns.records(context, wildcards=wildcards), key=attrgetter("name", "kind"))
    asked: list[Callable[[], Answer]] = []
    for (name, kind), group in groupby(ordered, key=attrgetter("name", "kind")):
        records = list(group)
        wanted = [one.data for one in records]
        required = any(one.required for one in records)
        hint = _hint(context, name, kind)
        asked.append(partial(_compare, resolver, name, kind, wanted, required=required, hint=hint))
    delegation = dns.delegation(context)
    if delegation:
        asked.append(partial(_anchored, resolver, system.domain, delegation))
        asked.append(partial(_verified, resolver, system.domain))
    if system.dns == "built-in":
        asked += [partial(_copy, context, name, addresses[0]) for name, addresses in system.secondaries.items()]
    for address in layout.public_addresses(system):
        hint = f"have the provider name {address} {system_host(system)}"
        name = ip_address(address).reverse_pointer
        asked.append(
            partial(_compare, resolver, name, "PTR", [f"{system_host(system)}."], required="." in address, hint=hint)
        )
        asked += [partial(_listed, resolver, address, where) for where in _BLOCKLISTS]
    asked += port_check.asked(system, resolver, dialled, reach)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda ask: ask(), asked))


def _hint(context: Context, name: str, kind: str) -> str:
    """What to do about a record of the zone that others do not see as it should be."""
    system = context.system
    if system.dns != "built-in":
        return "see: mailpod dns show"
    if (name, kind) != (system.domain, "NS"):
        return "mailpod serves it: see that the domain is delegated (NS), or wait until others have forgotten what was"
    here = " and ".join(layout.nameserver_addresses(system)) or "its public address"
    servers = ", ".join((f"{zone.nameserver(system)} ({here})", *system.secondaries))
    return f"delegate the domain at the registrar, to the name servers {servers}"


def _compare(
    resolver: "Resolver", name: str, kind: str, wanted: Iterable[str], *, required: bool = False, hint: str
) -> Answer:
    from mailpod.services.lookup import Unknown, canonical

    expected = {canonical(kind, one) for one in wanted}
    try:
        found = resolver.ask(name, kind)
    except Unknown as problem:
        return Answer(name, kind, "unknown", tuple(sorted(expected)), (), required, str(problem))
    relevant = found & expected | {one for one in found if kind not in _OPEN or zone.rivals(one, expected)}
    verdict: Verdict = "right" if relevant == expected else "wrong" if relevant else "missing"
    return Answer(
        name, kind, verdict, tuple(sorted(expected)), tuple(sorted(found)), required, "" if verdict == "right" else hint
    )


def _anchored(resolver: "Resolver", domain: str, delegation: list[str]) -> Answer:
    """Whether the parent zone vouches for the keys of the zone; if for others alone, who verifies finds nothing."""
    found = _compare(resolver, domain, "DS", delegation, hint="give these values to the registrar")
    if found.verdict == "missing":
        return replace(found, hint=f"{found.hint}, so that others trust the zone's signatures")
    if found.verdict == "wrong" and not set(found.found) & set(found.wanted):
        what = "in place of those there are: they are of other keys, and whoever verifies takes the domain for forged"
        return replace(found, required=True, hint=f"{found.hint}, {what}")
    return found


def _verified(resolver: "Resolver", domain: str) -> Answer:
    """Whether the signatures lead from the root to the zone without a gap, as a resolver that verifies says."""
    from mailpod.services.lookup import Unknown

    found = partial(Answer, domain, "DNSSEC", wanted=("verified",), required=False)
    try:
        if resolver.verifies(domain):
            return found(verdict="right", found=("verified",))
        if resolver.verifies("."):
            hint = "the registrar has no DS record of it, or the parent zone is not signed; see: mailpod dns show"
            return found(verdict="missing", found=("unsigned",), hint=hint)
    except Unknown as problem:
        return found(verdict="wrong", found=(), hint=str(problem))
    return found(verdict="unknown", found=(), hint="this resolver verifies nothing; name another with --resolver")


def _copy(context: Context, name: str, address: str) -> Answer:
    """Whether a secondary has the zone as it is, by its serial."""
    from mailpod.services.lookup import Unknown, held

    domain = context.system.domain
    wanted = _serials(context.nameserver.values(domain, "SOA"))
    found = partial(Answer, name, "SOA", wanted=wanted, required=False)
    try:
        there = _serials(held(address, domain, "SOA"))
    except Unknown as problem:
        return found(verdict="missing", found=(), hint=f"{problem}; see: mailpod dns secondary show {name}")
    hint = f"it does not fetch the zone; see there, and: mailpod dns secondary show {name}"
    return found(verdict="right" if there == wanted else "wrong", found=there, hint="" if there == wanted else hint)


def _serials(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(one.split()[2] for one in values)


def _listed(resolver: "Resolver", address: str, where: str) -> Answer:
    """Whether a list has the address (RFC 5782)."""
    from mailpod.services.lookup import Unknown

    turned = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    name = f"{turned}.{where}"
    try:
        found = resolver.ask(name, "A")
    except Unknown as problem:
        return Answer(name, "A", "unknown", (), (), required=False, hint=str(problem))
    if any(one.startswith(_NO_VERDICT) for one in found):
        return Answer(
            name, "A", "unknown", (), tuple(found), required=False, hint=f"{where} does not answer this resolver"
        )
    hint = f"{address} is on the list {where}: see there why, and ask to be removed" if found else ""
    return Answer(name, "A", "wrong" if found else "right", (), tuple(sorted(found)), required=False, hint=hint)
