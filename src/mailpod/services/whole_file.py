"""Files that are there whole, for their owner alone, or not at all, and that take no other file's place."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError
from mailpod.model.records import MIB


def require_free(path: Path) -> None:
    """Refuse a name that is a file's already, or in no folder."""
    if path.exists():
        raise AlreadyExists(f"{path} is there already", "give another name, or remove it")
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no folder {path.parent}", "make it first")


def require_space(path: Path, needed: int) -> None:
    """Refuse a folder whose disk has no room for so many bytes."""
    disk = os.statvfs(path.parent)
    if needed > disk.f_bavail * disk.f_frsize:
        raise MailpodError(f"{path.parent} has no room for {needed // MIB} MiB", "give a file on another disk")


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Write a file, of mode 0600, which gets its name at the end, when it is on disk.

    Raises:
        AlreadyExists: there is a file of this name.
        MailpodError: it cannot be written; nothing is left of it, as after any other failure.
    """
    require_free(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # Unlike a renaming, this takes no other file's place.
        os.link(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise MailpodError(f"cannot write {path}: {error.strerror}", "make room or correct the rights") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
