"""What runs and what waits, beside what was asked for."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mailpod.model.composition import profiles
from mailpod.model.records import Account, System, Tended, now
from mailpod.model.spec import LABEL_ID, LABEL_ROLE, Workload
from mailpod.services.backup_care import BackupHealth, health
from mailpod.services.context import Context
from mailpod.services.held_images import upgradable
from mailpod.services.queues import Message, answers, queues_of
from mailpod.services.refusals import Refusals, refusals
from mailpod.services.resolving import Resolver, resolver

if TYPE_CHECKING:
    from mailpod.services.certificate_views import CertificateView


@dataclass(frozen=True)
class ElementStatus:
    """main or one account.

    Attributes:
        desired: `running`, `stopped` or `frozen`.
        observed: `running`, `restarting`, `stopped`, `created` (it never ran), `unreachable` (its machine is down) or
            `missing`.
        health: `healthy`, `unhealthy`, `starting`, or empty when nothing runs.
        memory: bytes in use.
        waiting: messages that wait for it in main, and in itself if it runs; for main, all in its own queue. None when
            one of them does not say, and none is known.
        frozen: since when it is frozen (ISO 8601); empty when it is not.
        node: the machine it is on; empty on one Docker Engine.
        since: from when on it is unreachable (ISO 8601).
        kept: machines that have an older copy of it, from before it was recovered.
        expires: when it is deleted, as a guest's (ISO 8601); empty for all others.
    """

    name: str
    desired: str
    observed: str
    health: str
    ipv4: str
    ipv6: str
    image: str
    memory: int
    waiting: int | None
    frozen: str = ""
    node: str = ""
    since: str = ""
    kept: tuple[str, ...] = ()
    expires: str = ""


@dataclass(frozen=True)
class Status:
    """The installation as it is now.

    Attributes:
        beside: what is to run beside main, such as the name server.
        queue: what is known to wait in main and the accounts, None when none says.
        refusals: what main refused to accounts of late, None when it does not say.
        upgradable: names of accounts, and `main`, for which there is a newer image than they have.
        tended: what `mailpod tend` did last.
        resolver: what main's resolver does.
        certificates: what main and the accounts show clients.
        backup: how it stands with backups.
    """

    system: System
    main: ElementStatus
    beside: list[ElementStatus]
    accounts: list[ElementStatus]
    queue: list[Message] | None
    refusals: list[Refusals] | None
    upgradable: list[str]
    tended: Tended
    resolver: Resolver
    certificates: "list[CertificateView]"
    backup: BackupHealth


def status(context: Context) -> Status:
    """Ask the engine, main, and the accounts that run."""
    from mailpod.services.certificate_views import views

    context.require_system()
    workloads = context.engine.workloads(context.instance)
    by_role = {w.labels.get(LABEL_ROLE): w for w in workloads}
    main = by_role.get("main")
    by_id = {w.labels.get(LABEL_ID): w for w in workloads}
    accounts = context.store.accounts()
    with ThreadPoolExecutor(3) as pool:
        refused = pool.submit(_refusals, context, main, accounts)
        resolving = pool.submit(resolver, context, runs=main is not None and main.state == "running")
        measured = pool.submit(context.engine.memory, [w.name for w in workloads if w.state == "running"])
        queues = queues_of(context, main, [a for a in accounts if answers(by_id.get(a.id))])
        memory = measured.result()
    of_main = queues.get("main")
    people = []
    for account in accounts:
        own = queues.get(account.name, [])
        count = len(own or ()) + _for(of_main or [], account, context.system)
        waiting = None if not count and (of_main is None or own is None) else count
        element = _element(context, account.name, by_id.get(account.id), memory, waiting, account.frozen)
        expires = account.expires.isoformat() if account.expires else ""
        people.append(replace(element, kept=account.kept, expires=expires))
    total = None if of_main is None else len(of_main)
    said = [queue for queue in queues.values() if queue is not None]
    known = [message for queue in said for message in queue] if said else None
    return Status(
        context.system,
        _element(context, "main", main, memory, total),
        [_element(context, role, by_role.get(role), memory, 0) for role in profiles(context.system)],
        people,
        known,
        refused.result(),
        upgradable(context.system, accounts),
        context.store.tended(),
        resolving.result(),
        views(context),
        health(context),
    )


def _refusals(context: Context, main: Workload | None, accounts: list[Account]) -> list[Refusals] | None:
    return refusals(context, accounts, now()) if main and main.state == "running" else None


def _element(
    context: Context,
    name: str,
    workload: Workload | None,
    memory: Mapping[str, int],
    waiting: int | None,
    frozen: datetime | None = None,
) -> ElementStatus:
    desired = "frozen" if frozen else "running" if context.system.running else "stopped"
    since = frozen.isoformat() if frozen else ""
    if workload is None:
        return ElementStatus(name, desired, "missing", "", "", "", "", 0, waiting, since)
    return ElementStatus(
        name,
        desired,
        workload.state,
        workload.health,
        workload.ipv4,
        workload.ipv6,
        workload.image,
        memory.get(workload.name, 0),
        waiting,
        since,
        workload.node,
        workload.since,
    )


def _for(messages: list[Message], account: Account, system: System) -> int:
    own = f"@{account.fqdn(system.domain)}"
    return sum(any(address.endswith(own) for address in message.recipients) for message in messages)
