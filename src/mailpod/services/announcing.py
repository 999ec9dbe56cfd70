"""A prefix that is part of the machine's own network: its addresses have to be answered for there."""

from mailpod.host import neighbours, routes
from mailpod.model import layout
from mailpod.model.doctor.finding import Finding
from mailpod.model.doctor.neighbours import of_neighbours, of_router, unanswered
from mailpod.services.context import Context


def findings(context: Context) -> list[Finding]:
    """What keeps the outside from addresses of such a prefix."""
    system = context.system
    if not (layout.routed(system) and context.engine_is_here and system.networks):
        return []
    link = routes.on_link(system.ipv6_subnet)
    if not link:
        return []
    interface, _ = link
    needed = {"main": layout.main_addresses(system, 0)[1]}
    if system.dns == "built-in":
        needed["the name server"] = layout.own_nameserver_addresses(system)[1]
    needed |= {one.name: layout.account_ipv6(system, one) for one in context.store.accounts() if not one.frozen}
    missing = unanswered(needed, neighbours.answered(interface))
    ignored = neighbours.ignores_routers(interface)
    return [
        *of_neighbours(missing, system.ipv6_subnet, interface),
        *of_router(interface, ignored=ignored, known=routes.leads_out(interface)),
    ]


def tell(context: Context) -> None:
    """Say at once what the doctor would find."""
    for one in findings(context):
        context.progress(one.what)
        context.progress(one.do)
