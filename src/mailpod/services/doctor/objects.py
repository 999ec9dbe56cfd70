"""What the engine has, beside what it should have."""

import contextlib

from mailpod.model import composition
from mailpod.model.doctor import objects
from mailpod.model.doctor.finding import Finding
from mailpod.model.errors import MailpodError
from mailpod.model.records import DEFAULT_STACK
from mailpod.services import copies, images
from mailpod.services.context import Context
from mailpod.services.reconcile import steps


def containers(context: Context) -> list[Finding]:
    """Containers that are missing, too many, stopped, unhealthy, or made from other settings."""
    workloads = context.engine.workloads(context.instance)
    if not context.system.running:
        return list(objects.of_rest(workloads))
    held = images.of_main(context.system)
    roles = {role: getattr(held, role) for role in ("main", *composition.profiles(context.system))}
    return [
        *objects.of_services(context.system, workloads, roles),
        *(objects.of_step(step) for step in steps(context)),
        *objects.unhealthy(workloads),
    ]


def volumes(context: Context) -> list[Finding]:
    """Volumes of nobody on record, and those that are gone."""
    up = context.engine.up()
    live = [one for one in context.store.accounts() if one.node in up]
    kept = [one for one in context.store.deleted() if one.node in up and not one.purge]
    there = context.engine.volumes(context.instance)
    return list(objects.of_volumes(context.instance, there, copies.on_record(context), live, kept))


def networks(context: Context) -> list[Finding]:
    """Networks that are missing, too many, or otherwise."""
    if not context.system.running or context.system.engine == "swarm":
        return []
    return list(objects.of_networks(context.system, context.engine.networks()))


def helpers(context: Context) -> list[Finding]:
    """Containers of a moment that a command has left."""
    known = [*context.store.accounts(), *context.store.deleted()]
    at_work = context.engine.helpers(context.instance)
    busy = {one.id for one in known if one.id in at_work and _busy(context, one.id)}
    return list(objects.of_helpers(known, at_work, busy))


def _busy(context: Context, identity: str) -> bool:
    with contextlib.suppress(MailpodError), context.store.lock(f"move-{identity}", seconds=0):
        return False
    return True


def missing_images(context: Context) -> list[Finding]:
    """Images that the next `apply` would have to build."""
    held = images.of_main(context.system)
    needed = {getattr(held, role) for role in ("main", *composition.profiles(context.system))}
    needed |= {images.of_account(account) for account in context.store.accounts()} | {images.ACCOUNT[DEFAULT_STACK].tag}
    return list(objects.of_images(tag for tag in sorted(needed) if not context.engine.has_image(tag)))
