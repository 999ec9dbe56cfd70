"""Taking a lock on an open file, with a deadline; the kernel frees it when its holder ends."""

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

from mailpod.model.errors import MailpodError

_INTERVAL = 0.01
_TELL_AFTER = 1.0


def acquire(
    descriptor: int,
    what: Path,
    seconds: float,
    *,
    shared: bool = False,
    progress: Callable[[str], None] = lambda _line: None,
) -> None:
    """Take the lock of an open file, alone or with others who share it.

    Args:
        descriptor: the open file.
        what: what the lock stands for, for messages.
        seconds: how long to wait for those who hold it.
        shared: whether others may share it.
        progress: told when it takes long.

    Raises:
        MailpodError: another process still held it after `seconds`.
    """
    start = time.monotonic()
    told = False
    while not _taken(descriptor, shared=shared):
        waited = time.monotonic() - start
        if waited > seconds:
            raise MailpodError(f"another mailpod still holds {what}", "wait until it is done, or end it, and try again")
        if waited > _TELL_AFTER and not told:
            progress("waiting for another mailpod")
            told = True
        time.sleep(_INTERVAL)


def _taken(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
