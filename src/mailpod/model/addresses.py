"""Mail addresses: the two forms every account has, and those an alias may name."""

import re

from mailpod.model.errors import InvalidInput
from mailpod.model.names import is_label

BOX = "box"
"""Local part of every canonical address, and the name of the Unix user in an account."""

# The part of RFC 5321 section 4.1.2's Dot-string that Postfix, Dovecot and web forms all agree on.
_LOCAL = re.compile(r"[a-z0-9_=][a-z0-9_=-]*(?:\.[a-z0-9_=-]+)*")
_OUTSIDE_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*/=?^_`{|}~+-]+(?:\.[A-Za-z0-9!#$%&'*/=?^_`{|}~+-]+)*")


def canonical(name: str, domain: str) -> str:
    """`box@alice.example.org` for the account `alice`."""
    return f"{BOX}@{name}.{domain}"


def short(name: str, domain: str) -> str:
    """`alice@example.org` for the account `alice`."""
    return f"{name}@{domain}"


def shared_local_part(text: str, domain: str) -> str:
    """Check the address of an alias and return its local part.

    Args:
        text: `contact` or `contact@DOMAIN`.
        domain: the organisation's domain.

    Raises:
        InvalidInput: another domain, or a local part an alias may not have (`+` begins a tag).
    """
    local, at, host = text.lower().partition("@")
    if at and host != domain:
        raise InvalidInput(f"{text!r} is not an address of {domain}", f"give one that ends in @{domain}")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise InvalidInput(f"{text!r} cannot be the address of an alias", "use letters, digits, dots, - and _")
    return local


def outside_address(text: str) -> str:
    """Check an address elsewhere on the Internet.

    Returns:
        The address with its domain in lower case.

    Raises:
        InvalidInput: it is not `local@domain` as RFC 5321 section 4.1.2 allows without quoting.
    """
    local, at, host = text.rpartition("@")
    labels = host.lower().split(".")
    good_host = len(labels) > 1 and len(host) <= 253 and all(map(is_label, labels))
    if not at or len(local) > 64 or not _OUTSIDE_LOCAL.fullmatch(local) or not good_host:
        raise InvalidInput(f"{text!r} is neither an account nor a mail address", "give NAME or local@domain")
    return f"{local}@{host.lower()}"
