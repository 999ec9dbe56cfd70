"""What `dns check` finds out by connecting: the system's ports at its public addresses, and the way out."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from mailpod.model import layout
from mailpod.model.records import DNS_PORT, PORTS, System
from mailpod.model.tables import system_host
from mailpod.services import certificate_check
from mailpod.services.answer import Answer
from mailpod.services.dialling import Dial, reason

if TYPE_CHECKING:
    from mailpod.services.lookup import Resolver

WELL_KNOWN = "gmail.com"
"""Whose mail server is tried, to see whether mail gets out, if nothing else is said."""

# Those that others have to reach; without the first, mail does not come in.
_FROM_OUTSIDE = ("smtp", "submissions", "submission", "imaps", "http", "https")
_SMTP = PORTS["smtp"]


def asked(system: System, resolver: "Resolver", dial: Dial, reach: str) -> Iterator[Callable[[], Answer]]:
    """What there is to be tried, one by one.

    Args:
        reach: a domain whose mail server is tried at port 25.
    """
    for address in layout.public_addresses(system):
        for service in _FROM_OUTSIDE:
            yield partial(_inward, system, dial, address, service)
    for address in layout.nameserver_addresses(system) if system.dns == "built-in" else ():
        port = system.dns_port() if "." in address else DNS_PORT
        yield partial(_open, dial, address, port, required=True)
    yield from certificate_check.asked(system, resolver, dial)
    if system.relay_host:
        yield partial(_to_relay_host, system, dial)
        yield partial(_named, system, resolver)
    else:
        yield partial(_outward, resolver, dial, reach)


def _inward(system: System, dial: Dial, address: str, service: str) -> Answer:
    # What is routed to main itself comes to its own ports, not to the machine's.
    port = system.port(service) if "." in address else PORTS[service]
    if service != "smtp":
        return _open(dial, address, port, required=False)
    return _open(dial, address, port, required=True, greeting=f"220 {system_host(system)} ")


def _open(dial: Dial, address: str, port: int, *, required: bool, greeting: str = "") -> Answer:
    """Whether the system answers at a port of a public address of its own."""
    kind = f"{port}/tcp"
    wanted = (greeting.strip() or "open",)
    try:
        said = dial(address, port, greeted=bool(greeting))
    except OSError as error:
        hint = f"open it in the firewall; as not every router leads back, try from elsewhere: nc -vz {address} {port}"
        return Answer(address, kind, "missing", wanted, (reason(error),), required, hint)
    if greeting and not f"{said} ".startswith(greeting):
        return Answer(address, kind, "wrong", wanted, (said or "nothing",), required, "another server has this port")
    return Answer(address, kind, "right", wanted, wanted, required)


def _outward(resolver: "Resolver", dial: Dial, reach: str) -> Answer:
    """Whether the provider lets mail out: many block port 25."""
    from mailpod.services.lookup import Unknown

    kind = f"{_SMTP}/tcp out"
    try:
        hosts = sorted((int(one.split()[0]), one.split()[1].removesuffix(".")) for one in resolver.ask(reach, "MX"))
        addresses = sorted(resolver.ask(hosts[0][1], "A")) if hosts else []
    except Unknown as problem:
        return Answer(reach, kind, "unknown", ("open",), (), True, str(problem))
    if not addresses:
        return Answer(reach, kind, "unknown", ("open",), (), True, "it has no mail server; name another with --reach")
    hint = (
        "ask the provider to open port 25 outward, or send through another server: mailpod up DOMAIN --relay-host HOST"
    )
    return _reached(dial, reach, addresses[0], _SMTP, kind, hint)


def _to_relay_host(system: System, dial: Dial) -> Answer:
    """Whether the server that all mail leaves through is there."""
    host, port = system.relay_host, system.relay_port
    hint = f"see that {host} takes mail from here; it was named with: mailpod up --relay-host"
    return _reached(dial, host, host, port, f"{port}/tcp out", hint, greeted=port != PORTS["submissions"])


def _named(system: System, resolver: "Resolver") -> Answer:
    """Whether the domain lets others than main send for it (SPF); what addresses that host has is not known here."""
    from mailpod.services.lookup import Unknown

    host = system.relay_host
    wanted = (f"what {host} sends from",)
    found = partial(Answer, system.domain, "TXT (SPF)", wanted=wanted, required=False)
    try:
        texts = [one.replace('" "', "").strip('"') for one in resolver.ask(system.domain, "TXT")]
    except Unknown as problem:
        return found(verdict="unknown", found=(), hint=str(problem))
    policies = tuple(one for one in texts if one.lower().startswith("v=spf1"))
    if any(set(one.lower().split()[1:]) - _only_main(system) for one in policies):
        return found(verdict="right", found=policies)
    hint = (
        f"mail leaves through {host}, and SPF names main alone: add what its provider says, as include:NAME, for the "
        "domain and each account's subdomain, in dns/records.zone; see docs/internet.md, Relay host"
    )
    return found(verdict="missing", found=policies, hint=hint)


def _only_main(system: System) -> set[str]:
    return {f"a:{system_host(system)}", "-all", "~all", "?all"}


def _reached(dial: Dial, name: str, address: str, port: int, kind: str, hint: str, *, greeted: bool = True) -> Answer:
    try:
        said = dial(address, port, greeted=greeted)
    except OSError as error:
        return Answer(name, kind, "missing", ("open",), (reason(error),), True, hint)
    if greeted and not said.startswith("220"):
        return Answer(name, kind, "wrong", ("open",), (said or "nothing",), True, hint)
    return Answer(name, kind, "right", ("open",), ("open",), True)
