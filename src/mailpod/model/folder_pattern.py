"""Patterns of folders that are left out of an import: a name, in which `*` stands for anything."""

import re
from collections.abc import Iterable, Sequence

from mailpod.model.errors import InvalidInput


def checked(patterns: Iterable[str]) -> tuple[str, ...]:
    """Patterns as typed, nested folders divided by `/`; raises `InvalidInput` when one can be no folder's."""
    found = tuple(patterns)
    for one in found:
        if not one.strip("/") or not one.isprintable() or any(sign in one for sign in '"\\%'):
            raise InvalidInput(f"{one!r} is no folder's name", "give it as the other side has it: Parent/Folder")
    return found


def matching(patterns: Sequence[str], names: Iterable[str]) -> set[str]:
    """Those of these folders that a pattern means; raises `InvalidInput` when one means none of them.

    Args:
        names: as a Maildir++ has them on disk; an empty one is the inbox.
    """
    shown = {name: name.removeprefix(".").replace(".", "/") or "INBOX" for name in names}
    found: set[str] = set()
    for pattern in patterns:
        regex = re.compile(".*".join(map(re.escape, pattern.strip("/").replace(".", "/").split("*"))), re.IGNORECASE)
        meant = {name for name, text in shown.items() if regex.fullmatch(text)}
        if not meant:
            raise InvalidInput(f"there is no folder {pattern!r}", f"there are: {', '.join(sorted(shown.values()))}")
        found |= meant
    return found
