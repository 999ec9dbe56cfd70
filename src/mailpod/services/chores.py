"""How what a system needs from time to time went the last time, as `status` tells it until the next."""

from mailpod.model.errors import MailpodError
from mailpod.model.records import ChoreDone, now
from mailpod.services.context import Context

DNS = "dns"
"""The chore of having whoever serves the zone know of everything."""


def note(context: Context, name: str, problem: MailpodError | None = None) -> None:
    """Write down that a chore was done, or what was wrong."""
    with context.store.lock():
        tended = context.store.tended()
        done = ChoreDone(last=now())
        if problem:
            before = tended.chores.get(name, ChoreDone())
            done = before.model_copy(update={"problem": problem.what, "hint": problem.hint})
        context.store.save_tended(tended.model_copy(update={"chores": {**tended.chores, name: done}}))


def settle(context: Context, name: str) -> None:
    """Write down that what was wrong with a chore is so no more, if anything was."""
    before = context.store.tended().chores.get(name)
    if before and before.problem:
        note(context, name)
