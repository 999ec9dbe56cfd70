"""Bringing a system from one Docker Engine to a Swarm of one on the same machine, and back, with all there is in it.

Volumes, keys and addresses stay; containers are made anew. Which engine the system is on is one record, changed in one
write: what stops before leaves the system as it runs, and `apply` ends what stops after.
"""

from collections.abc import Callable

from mailpod.model.errors import AlreadyExists, MailpodError
from mailpod.model.records import EVERYWHERE, EngineKind
from mailpod.services import held_images, installation
from mailpod.services.context import Context
from mailpod.services.founding import swarm_of_one
from mailpod.services.reconcile import converge


def to_swarm(context: Context, advertise: str = "") -> None:
    """Let a Swarm run the system, on this machine; mail meanwhile waits with those who send it.

    Args:
        context: the system.
        advertise: address of this machine for others, if a Swarm has to be made; empty when it has one only.

    Raises:
        AlreadyExists: it is on a Swarm.
        MailpodError: it has what a Swarm cannot do, or could not be started there; it runs as before.
    """
    _prepare(context, _fits_swarm)
    with context.store.lock("system"), swarm_of_one(context, advertise):
        _change(context, "swarm", _fits_swarm)


def to_docker(context: Context) -> None:
    """Let this machine's Docker Engine alone run the system again; the Swarm stays.

    Raises:
        AlreadyExists: it does.
        MailpodError: accounts are on other machines, or it could not be started so; it runs as before.
    """
    _prepare(context, _fits_docker)
    with context.store.lock("system"):
        _change(context, "docker", _fits_docker)


def _prepare(context: Context, check: Callable[[Context], None]) -> None:
    """Refuse what cannot be, before anything is touched, and have ready what takes time."""
    context.require_system()
    check(context)
    installation.require_main(context)
    held_images.ensure_all(context, context.system)


def _change(context: Context, kind: EngineKind, check: Callable[[Context], None]) -> None:
    # Another command may have been faster.
    context.look_again()
    check(context)
    before = context.system
    # The lock keeps accounts from being made meanwhile on an engine that is no more the system's.
    with installation.undone_on_failure(context, before), context.lock("converge"):
        context.adopt(before.model_copy(update={"engine": kind}))
        installation.deploy(context)
    converge(context)


def _fits_swarm(context: Context) -> None:
    system = context.system
    if system.engine == "swarm":
        raise AlreadyExists(f"{system.domain} runs on a Swarm already", "make sure of it with: mailpod apply")
    if system.bind != EVERYWHERE:
        raise MailpodError(
            f"main listens on {system.bind} alone, and a Swarm publishes on every address of a machine",
            f"let it listen on all first: mailpod up {system.domain} --bind 0.0.0.0",
        )
    if system.ipv6_routed:
        raise MailpodError(
            f"{system.ipv6_subnet} is the system's, and on a Swarm each machine has a prefix of its own",
            f"give it up first: mailpod up {system.domain} --ipv6-prefix none; afterwards see: mailpod node set --help",
        )


def _fits_docker(context: Context) -> None:
    system = context.system
    if system.engine == "docker":
        raise AlreadyExists(f"{system.domain} runs on one engine already", "make sure of it with: mailpod apply")
    if system.prefixes:
        name = min(system.prefixes)
        raise MailpodError(
            f"what is on {name} has addresses of {system.prefixes[name]}",
            f"give them up first: mailpod node set {name} --ipv6-prefix none",
        )
    here = next(machine.name for machine in context.engine.machines() if machine.here)
    people = (*context.store.accounts(), *context.store.deleted())
    away = sorted({account.name for account in people if account.node not in {"", here}})
    if away:
        raise MailpodError(
            f"on other machines than {here} are: {', '.join(away)}",
            f"bring each here first: mailpod account move NAME --node {here}",
        )
