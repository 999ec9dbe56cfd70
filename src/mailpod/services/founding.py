"""A Swarm of one, made when a system needs one."""

import contextlib
from collections.abc import Iterator

from mailpod.model.errors import MailpodError
from mailpod.services.context import Context


@contextlib.contextmanager
def swarm_of_one(context: Context, advertise: str) -> Iterator[None]:
    """See to it that the engine manages a Swarm. One that was made here is given up if what it is for fails.

    Args:
        context: the system.
        advertise: address of this machine for others; empty when it has one only.
    """
    made = context.engine.found_swarm(advertise)
    if made:
        context.progress("this machine is a Swarm of one now")
    try:
        yield
    except BaseException:
        system = context.store.find_system()
        if made and (system is None or system.engine != "swarm"):
            context.progress("giving up the Swarm")
            with contextlib.suppress(MailpodError):
                context.engine.leave_swarm()
        raise
