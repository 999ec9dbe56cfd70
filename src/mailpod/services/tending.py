"""What a system needs from time to time, unasked: `mailpod tend`, which the machine runs every hour."""

from collections.abc import Callable

from mailpod.model.errors import MailpodError
from mailpod.model.records import System, Tended, now
from mailpod.services import chores, retention
from mailpod.services.backup_care import care
from mailpod.services.context import Context
from mailpod.services.reconcile import announce, renew_keys


def _zone(context: Context) -> None:
    with context.lock("converge", shared=True):
        announce(context, strict=True)


def _certificates(context: Context) -> None:
    # Not before it is needed: it takes a good part of a second.
    from mailpod.services.issuing import issue_due

    issue_due(context)


CHORES: dict[str, Callable[[Context], None]] = {
    "keys": renew_keys,
    chores.DNS: _zone,
    "certificates": _certificates,
    "guests": retention.end_guests,
    "deleted accounts": retention.end_kept,
    "backup": care,
}
"""By name, what is done if it is due. One that fails raises `MailpodError`, and is tried again the next hour."""


def tend(context: Context) -> Tended:
    """Do every chore; one that fails keeps none of the others from its turn.

    Returns:
        How it went, as `status` tells it until the next time.

    Raises:
        MailpodError: the system is down.
    """
    system = context.system
    if not system.running:
        raise MailpodError("the system is down", f"start it with: mailpod up {system.domain}")
    with context.store.lock("tend"):
        for name, chore in CHORES.items():
            try:
                chore(context)
            except MailpodError as problem:
                chores.note(context, name, problem)
            else:
                chores.note(context, name)
        with context.store.lock():
            done = context.store.tended().chores
            tended = Tended(chores={name: done[name] for name in CHORES}, at=now())
            context.store.save_tended(tended)
    return tended


def timetable_name(system: System) -> str:
    """What the machine's own timetable knows this system by."""
    return f"mailpod-tend-{system.instance}"
