"""The system's networks: which there are to be, and whether the engine has them so."""

from collections import Counter
from collections.abc import Iterable

from mailpod.host import routes
from mailpod.host.engine import translates_ipv6
from mailpod.model import layout, networks
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import DEFAULT_STACK, Account, System
from mailpod.model.spec import Network
from mailpod.services.context import Context
from mailpod.services.images import ACCOUNT, ensure_images
from mailpod.services.reachable import down


def check_prefix(context: Context, system: System) -> None:
    """Refuse a prefix whose addresses could not be reached.

    Raises:
        InvalidInput: it is the machine's own network.
        MailpodError: the engine would translate its addresses.
    """
    if not system.ipv6_routed or not context.engine_is_here:
        return
    prefix = system.ipv6_subnet
    neighbours = routes.on_link(prefix)
    if neighbours and neighbours[1] == prefix:
        raise InvalidInput(
            f"{prefix} is the network of {neighbours[0]} itself, and not routed to this machine",
            "give a prefix that is routed here, or a /80 of that network (see docs/operator.md, IPv6)",
        )
    if not context.guarded and translates_ipv6():
        raise MailpodError(
            "this engine translates IPv6 addresses (ip6tables in /etc/docker/daemon.json)",
            'take "ip6tables" out of that file and start the engine again, or use Docker Engine 27 or newer',
        )


def ensure(context: Context, *, more: int = 0) -> None:
    """Write down the networks that the accounts are on, and so many more; main is on at least one."""
    system = context.system
    wanted = max([1, len(system.networks) + more, *(account.network + 1 for account in context.store.accounts())])
    if len(system.networks) >= wanted:
        return
    chosen = list(system.networks)
    taken = [subnet for one in context.engine.networks() for subnet in one.subnets]
    taken += routes.ipv4_networks() if context.engine_is_here else []
    while len(chosen) < wanted:
        networks.ipv6_subnet(system.ipv6_subnet, len(chosen))
        chosen.append(networks.free_ipv4([*taken, *chosen]))
    context.adopt(system.model_copy(update={"networks": tuple(chosen)}))


def choose_encryption(context: Context) -> None:
    """Have packets between the machines of a Swarm encrypted if every machine's kernel can do that.

    While a machine is down, of which nobody can tell, all stays as it is. What it carries is TLS in any case.
    """
    if context.system.engine != "swarm" or down(context):
        return
    image = ACCOUNT[DEFAULT_STACK]
    ensure_images(context.engine, context.progress, [image])
    context.engine.spread_images([image.tag], context.progress)
    can = context.engine.encrypts(image.tag)
    if can != context.system.encrypted:
        context.progress(f"packets between the machines are {'' if can else 'not '}encrypted from now on")
        context.adopt(context.system.model_copy(update={"encrypted": can}))


def place_main(context: Context) -> None:
    """Write down which machine of a Swarm main is on, whose prefix is main's too."""
    swarm = context.system.engine == "swarm"
    here = next(one.name for one in context.engine.machines() if one.here) if swarm else ""
    if here != context.system.main_node:
        context.adopt(context.system.model_copy(update={"main_node": here}))


def ensure_local(context: Context) -> None:
    """Give each machine of a Swarm that has an IPv6 prefix a network with it."""
    system = context.system
    for node, subnet in layout.local_subnets(system).items():
        context.engine.ensure_local_network(layout.local_network(system, node), node, subnet)


def remove_local(context: Context, *, every: bool = False) -> None:
    """Remove those of earlier prefixes; with `every`, also those of now."""
    if context.system.engine == "swarm":
        system = context.system
        names = set() if every else {layout.local_network(system, node) for node in system.prefixes}
        context.engine.remove_local_networks(layout.local_network_beginning(system), names)


def differ(context: Context) -> bool:
    """Whether the engine has one of the networks otherwise than desired: no container can stay on such a one."""
    there = {one.name: one for one in context.engine.networks()}
    wanted = layout.desired_networks(context.system)
    return any(one.name in there and _differs(one, there[one.name]) for one in wanted)


def _differs(wanted: Network, there: Network) -> bool:
    kinds = [(set(one.subnets), one.routed, one.encrypted) for one in (wanted, there)]
    return kinds[0] != kinds[1]


def with_room(system: System, accounts: Iterable[Account]) -> int | None:
    """The first network with room for one more account; None when all are full."""
    count = Counter(account.network for account in accounts)
    return next((index for index in range(len(system.networks)) if count[index] < networks.CAPACITY), None)
