"""What runs and what waits, beside what was asked for."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mailpod.model.errors import MailpodError
from mailpod.model.records import System
from mailpod.model.spec import LABEL_ID, LABEL_ROLE, Workload
from mailpod.services.context import Context
from mailpod.services.reconcile import main_runs


@dataclass(frozen=True)
class Message:
    """A message that waits in main's queue.

    Attributes:
        recipients: those it has not reached yet.
        reason: why the last attempt failed; empty when there was none.
        size: bytes.
    """

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    reason: str
    size: int


@dataclass(frozen=True)
class ElementStatus:
    """main or one account.

    Attributes:
        desired: `running` or `stopped`.
        observed: `running`, `restarting`, `stopped` or `missing`.
        health: `healthy`, `unhealthy`, `starting`, or empty when nothing runs.
        memory: bytes in use.
        waiting: messages that wait in main for it (for main: all of them); None when main cannot tell.
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


@dataclass(frozen=True)
class Status:
    """The installation as it is now; `queue` is None when main cannot tell."""

    system: System
    main: ElementStatus
    accounts: list[ElementStatus]
    queue: list[Message] | None


def status(context: Context) -> Status:
    """Ask the engine and main."""
    context.require_system()
    workloads = context.engine.workloads(context.instance)
    messages = None
    if main_runs(context):
        with contextlib.suppress(MailpodError):
            messages = queue(context)
    main = next((w for w in workloads if w.labels.get(LABEL_ROLE) == "main"), None)
    memory = context.engine.memory(w.name for w in workloads if w.state == "running")
    by_id = {w.labels.get(LABEL_ID): w for w in workloads}
    people = [
        _element(context, a.name, by_id.get(a.id), memory, _for_domain(messages, a.fqdn(context.system.domain)))
        for a in context.store.accounts()
    ]
    total = None if messages is None else len(messages)
    return Status(context.system, _element(context, "main", main, memory, total), people, messages)


def queue(context: Context) -> list[Message]:
    """Messages that wait in main, from what `postqueue -j` prints (postqueue(1))."""
    return [_message(json.loads(line)) for line in context.channel.main("queue").splitlines() if line.strip()]


def _element(
    context: Context, name: str, workload: Workload | None, memory: Mapping[str, int], waiting: int | None
) -> ElementStatus:
    desired = "running" if context.system.running else "stopped"
    if workload is None:
        return ElementStatus(name, desired, "missing", "", "", "", "", 0, waiting)
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
    )


def _for_domain(messages: Iterable[Message] | None, fqdn: str) -> int | None:
    if messages is None:
        return None
    return sum(any(address.endswith(f"@{fqdn}") for address in m.recipients) for m in messages)


def _message(entry: dict[str, Any]) -> Message:
    recipients = entry["recipients"]
    return Message(
        queue_id=entry["queue_id"],
        sender=entry["sender"],
        recipients=tuple(one["address"] for one in recipients),
        reason=next((one["delay_reason"] for one in recipients if one.get("delay_reason")), ""),
        size=entry["message_size"],
    )
