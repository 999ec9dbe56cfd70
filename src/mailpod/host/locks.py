"""Locks between mailpod processes on one machine."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailpod.flock import acquire


def lock_path(name: str, user: int) -> Path:
    """Where the lock lies. It carries the user's id: nobody may open another's file in a shared folder."""
    folder = Path("/run/lock")
    return (folder if folder.is_dir() else Path(tempfile.gettempdir())) / f"mailpod-{user}-{name}.lock"


@contextmanager
def lock(name: str, seconds: float) -> Iterator[None]:
    """Hold the machine-wide lock `name`; its holder's death lets go of it.

    Raises:
        MailpodError: another process held it for `seconds`.
    """
    path = lock_path(name, os.getuid())
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        acquire(descriptor, path, seconds)
        yield
    finally:
        os.close(descriptor)
