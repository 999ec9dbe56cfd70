"""The state folder: who may read it."""

from dataclasses import dataclass
from pathlib import PurePath

from mailpod.model.doctor.finding import Finding

_OTHERS = 0o077
_OTHERS_WRITE = 0o022
# What is no secret, beside secrets.
_PUBLIC = (".pub", "known_hosts")


@dataclass(frozen=True)
class Entry:
    """A file or folder in the state folder.

    Attributes:
        path: relative to it; empty for itself.
        mode: the permission bits.
        owned: it is the owner's of the state folder.
    """

    path: str
    folder: bool
    mode: int
    owned: bool


def right_mode(entry: Entry) -> int:
    """The permission bits it should have."""
    return 0o700 if entry.folder else 0o600


def of_entry(root: str, entry: Entry) -> Finding | None:
    """What is wrong with the rights of an entry, if anything; what is no secret may be read by others.

    Args:
        root: the state folder.
    """
    where = f"{root}/{entry.path}".rstrip("/")
    parts = PurePath(entry.path).parts
    secret = bool(parts) and parts[0] == "secrets" and not entry.path.endswith(_PUBLIC)
    if not entry.owned:
        return Finding("error", "is another user's than the state folder", where, _chown(root, where), "modes")
    if entry.mode & (_OTHERS if secret else _OTHERS_WRITE):
        harm = "holds keys, and others may read it" if secret else "may be written by others"
        return Finding("error", harm, where, f"chmod {right_mode(entry):o} {where}", "modes")
    return None


def _chown(root: str, where: str) -> str:
    return f"chown --reference={root} {where}"
