"""The IPv6 prefixes of a Swarm's machines: each has its own, so an account's address follows its machine."""

from ipaddress import IPv6Network

from mailpod.model import layout
from mailpod.model.errors import InvalidInput, NotFound
from mailpod.model.networks import routed_prefix
from mailpod.services.context import Context
from mailpod.services.installation import deploy, undone_on_failure
from mailpod.services.networks import ensure_local
from mailpod.services.nodes import require_swarm
from mailpod.services.reconcile import converge


def set_prefix(context: Context, node: str, wanted: str) -> None:
    """Give a machine a prefix that is routed to it, or `none`; what is on it is made anew if its address changes.

    Raises:
        NotFound: there is no such machine.
        InvalidInput: it is no prefix, or overlaps another machine's.
    """
    context.require_system()
    require_swarm(context)
    if node not in {machine.name for machine in context.engine.machines()}:
        raise NotFound(f"there is no machine {node!r}", "see: mailpod node list")
    prefix = None if wanted == "none" else routed_prefix(wanted)
    with context.lock("system"):
        context.look_again()
        others = {name: one for name, one in context.system.prefixes.items() if name != node}
        for name, other in others.items():
            if prefix and IPv6Network(prefix).overlaps(IPv6Network(other)):
                raise InvalidInput(f"{prefix} overlaps {other}, which is {name}'s", "give each machine its own prefix")
        before = context.system
        changed = before.model_copy(update={"prefixes": {**others, node: prefix} if prefix else others})
        with undone_on_failure(context, before):
            context.adopt(changed)
            context.progress(f"what is on {node} has addresses {_of(context, node)}")
            if node == before.main_node:
                context.progress("main is made anew")
                deploy(context)
            ensure_local(context)
        converge(context)


def _of(context: Context, node: str) -> str:
    subnet = layout.local_subnets(context.system).get(node)
    return f"of {subnet}" if subnet else "of IPv4 alone"
