"""Passwords in the form in which an account keeps them, the main one and those of single apps."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast

from mailpod.model.archive import File
from mailpod.model.errors import InvalidInput
from mailpod.model.names import is_label

Scope = Literal["imap", "submission", "all"]
"""What an app password opens: the mailbox, sending, or both."""

MAX_NAME = 32
MAX_APP_PASSWORDS = 20


@dataclass(frozen=True)
class Hashes:
    """One password, hashed once for each kind of stack.

    Attributes:
        yescrypt: for whoever asks the C library (crypt(5)).
        argon2id: for whoever can (RFC 9106).
    """

    yescrypt: str = field(repr=False)
    argon2id: str = field(repr=False)


@dataclass(frozen=True)
class AppPassword:
    """What is told of an app password; `last_use` is None when it has never been used."""

    name: str
    scope: Scope
    created: datetime
    last_use: datetime | None = None


def app_password_name(text: str) -> str:
    """Fold and check the name of an app password.

    Raises:
        InvalidInput: it is not 1 to `MAX_NAME` letters, digits and inner hyphens.
    """
    name = text.lower()
    if not text.isascii() or not is_label(name) or len(name) > MAX_NAME:
        raise InvalidInput(
            f"{text!r} cannot be an app password's name",
            f"use 1 to {MAX_NAME} letters, digits and hyphens, with no hyphen at either end",
        )
    return name


def added(app_password: AppPassword, selector: str, hashes: Hashes) -> File:
    """What an account is told of a new app password.

    Args:
        app_password: its name, scope and date.
        selector: the beginning of the password, by which an account finds the one hash to compare with.
        hashes: of the whole password.
    """
    created = app_password.created.isoformat()
    words = (app_password.name, app_password.scope, created, selector, hashes.yescrypt, hashes.argon2id)
    return File("app_password", ("\t".join(words) + "\n").encode(), 0o600)


def revoked(name: str) -> File:
    """What an account is told of an app password that is to go."""
    return File("app_password", f"{name}\n".encode(), 0o600)


def listed(output: bytes) -> list[AppPassword]:
    """The app passwords that an account lists, by name."""
    return sorted((_listed(line) for line in output.decode().splitlines()), key=lambda one: one.name)


def _listed(line: str) -> AppPassword:
    name, scope, created, last_use = line.split("\t")
    used = datetime.fromtimestamp(int(last_use), UTC) if int(last_use) else None
    return AppPassword(name, cast("Scope", scope), datetime.fromisoformat(created), used)
