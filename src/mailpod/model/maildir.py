"""Names in a Maildir++: of folders, of messages and of their flags."""

import re
from collections.abc import Sequence

# What servers keep beside messages: UIDs, keywords and subscriptions (images/account/base/mailbox).
DOVECOT = {"dovecot-uidlist", "dovecot-keywords", "subscriptions"}
COURIER = {"courierimapuiddb", "courierimapsubscribed"}
COURIER_KEYWORDS = "courierimapkeywords"

_PLAIN = re.compile(r"[A-Za-z0-9][!-.0-9;-~]{0,180}")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def split_flags(name: str) -> tuple[str, str]:
    """The part of a message's name that stays the same, and its flags, letters of keywords included."""
    stays, _, flags = name.partition(":2,")
    return stays, "".join(sorted(set(re.sub(r"[^A-Za-z]", "", flags))))


def is_plain(stays: str) -> bool:
    """Whether the part of a message's name that stays the same can be kept as it is."""
    return _PLAIN.fullmatch(stays) is not None


def folder_name(parts: Sequence[str]) -> str:
    """What a folder is called on disk, below the inbox; empty for the inbox itself.

    Args:
        parts: names of nested folders from the inbox down, each perhaps one of Maildir++, which begins with a dot.
    """
    names = [name for part in parts for name in part.split(".") if name]
    return "".join(f".{name}" for name in names)


def decoded(name: str) -> str:
    """A folder's name, which may be in modified UTF-7 (RFC 3501 section 5.1.3), in plain text.

    What is none stays as it is.
    """

    def shifted(found: re.Match[str]) -> str:
        return f"+{found[1].replace(',', '/')}-".encode().decode("utf-7") if found[1] else "&"

    try:
        return _SHIFTED.sub(shifted, name)
    except UnicodeDecodeError:
        return name
