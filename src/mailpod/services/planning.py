"""What `up` is to bring about: what was asked for now, else what was before, else the default."""

from datetime import timedelta
from ipaddress import IPv4Address, ip_address
from typing import TypedDict, Unpack

from mailpod.host import routes
from mailpod.model import names
from mailpod.model.errors import AlreadyExists, InvalidInput
from mailpod.model.networks import routed_prefix, unique_local_prefix
from mailpod.model.records import EVERYWHERE, PORTS, Antivirus, Dns, EngineKind, System
from mailpod.services import ports
from mailpod.store import Store


class Wanted(TypedDict, total=False):
    """What somebody asks of an installation; what is None or left out is as it was, or the default.

    Attributes:
        bind: IPv4 address to listen on.
        port_base: number added to every published port.
        resolver: whom to ask for names; `none` for the root servers again.
        public_ipv4: the machine's address for the outside; at first `bind`, or else the one it reaches others from, if
            that is public.
        dns: who serves the zone; at first the system itself, if nobody else on this machine does.
        antivirus: what looks for viruses in mail; nothing at first.
        ipv6_prefix: one that is routed to this host; `none` for unique local addresses again.
        retention: how long the volumes of deleted accounts are kept.
    """

    bind: str | None
    port_base: int | None
    resolver: str | None
    public_ipv4: str | None
    dns: Dns | None
    antivirus: Antivirus | None
    ipv6_prefix: str | None
    retention: timedelta | None


def planned(
    store: Store, domain: str, instance: str, *, engine: EngineKind | None = None, **wanted: Unpack[Wanted]
) -> System:
    """The installation that `up` is to bring about.

    Args:
        engine: what is to run it.

    Raises:
        InvalidInput: the domain or an option cannot be accepted.
        AlreadyExists: the state folder is another domain's.
    """
    name = names.domain(domain)
    if not names.is_label(instance) or len(instance) > 32:
        raise InvalidInput(f"{instance!r} cannot be an instance's name", "use up to 32 letters, digits and hyphens")
    before = store.find_system()
    if before and (before.domain, before.instance) != (name, instance):
        raise AlreadyExists(
            f"{store.folder} is the system of {before.domain}, instance {before.instance}",
            "use another --state and --instance, or remove that one with: mailpod down --purge",
        )
    if before and engine and engine != before.engine:
        raise AlreadyExists(f"{name} runs on {before.engine}", f"change it with: mailpod engine migrate {engine}")
    base = before or System(
        domain=name, instance=instance, ipv6_subnet=unique_local_prefix(), engine=engine or "docker"
    )
    system = adjusted(base, **wanted)
    return system if before else _with_defaults(system, wanted.get("dns"), wanted.get("public_ipv4"))


def adjusted(base: System, **wanted: Unpack[Wanted]) -> System:
    """The installation as it was but for what was asked for, to be brought up.

    Raises:
        InvalidInput: an option cannot be accepted.
    """
    bind, prefix, port_base = wanted.get("bind"), wanted.get("ipv6_prefix"), wanted.get("port_base")
    public_ipv4, resolver = wanted.get("public_ipv4"), wanted.get("resolver")
    if base.engine == "swarm":
        _check_swarm(bind, prefix)
    if bind is not None:
        _check_address(bind, "--bind", four=True)
    if public_ipv4 is not None:
        _check_address(public_ipv4, "--public-ipv4", four=True)
    if resolver and resolver != "none":
        _check_address(resolver, "--resolver", four=False)
    if port_base is not None and not 0 <= port_base <= 65535 - max(PORTS.values()):
        raise InvalidInput(f"--port-base {port_base} is out of range", f"give 0 to {65535 - max(PORTS.values())}")
    update = {
        **{key: value for key, value in wanted.items() if key != "ipv6_prefix"},
        "resolver": "" if resolver == "none" else resolver,
        "running": True,
        **_prefix(base, prefix),
    }
    return base.model_copy(update={key: value for key, value in update.items() if value is not None})


def _with_defaults(system: System, dns: Dns | None, public_ipv4: str | None) -> System:
    """A new system with what depends on this machine, where nothing was said."""
    served = "built-in" if ports.free_for_dns(system) else "elsewhere"
    # It listens there alone, whatever else the machine has.
    bound = system.bind if IPv4Address(system.bind).is_global else ""
    address = public_ipv4 or bound or routes.public_ipv4()
    return system.model_copy(update={"dns": dns or served, "public_ipv4": address})


def _check_swarm(bind: str | None, ipv6_prefix: str | None) -> None:
    """A Swarm publishes on all addresses of a machine, and its overlay networks know IPv4 alone."""
    if bind not in {None, EVERYWHERE}:
        raise InvalidInput("--bind has no effect on a Swarm, which publishes on every address", "leave it out")
    if ipv6_prefix not in {None, "none"}:
        raise InvalidInput(
            "--ipv6-prefix is for one machine", "give each its own: mailpod node set NAME --ipv6-prefix PREFIX"
        )


def _prefix(base: System, wanted: str | None) -> dict[str, object]:
    if wanted is None or (wanted == "none" and not base.ipv6_routed):
        return {}
    if wanted == "none":
        return {"ipv6_subnet": unique_local_prefix(), "ipv6_routed": False}
    return {"ipv6_subnet": routed_prefix(wanted), "ipv6_routed": True}


def _check_address(text: str, option: str, *, four: bool) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidInput(f"{option} {text!r} is not an IP address", "give one like 192.0.2.1") from None
    if four and not isinstance(address, IPv4Address):
        raise InvalidInput(f"{option} {text!r} is not an IPv4 address", "give one like 192.0.2.1")
