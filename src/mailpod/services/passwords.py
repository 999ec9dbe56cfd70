"""Passwords: made, checked, and turned into the only form in which they are kept."""

import secrets
import unicodedata

import bcrypt

from mailpod.model.errors import InvalidInput

MIN_PASSWORD = 8
# What bcrypt takes into account.
MAX_PASSWORD = 72
_ROUNDS = 10


def generate_password() -> str:
    """Five groups of four characters, about 100 bits, without those that look alike."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(5))


def check_password(password: str) -> str:
    """Check a password somebody chose.

    Raises:
        InvalidInput: empty, too short, too long, or with control characters, which some clients cannot send.
    """
    if not password:
        raise InvalidInput("the password is empty", f"give at least {MIN_PASSWORD} characters")
    if len(password) < MIN_PASSWORD:
        raise InvalidInput("the password is too short", f"give at least {MIN_PASSWORD} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        raise InvalidInput("the password has control characters", "give one without them")
    if len(password.encode()) > MAX_PASSWORD:
        raise InvalidInput("the password is too long", f"give at most {MAX_PASSWORD} bytes")
    return password


def hash_password(password: str) -> str:
    """The password as crypt(5) keeps it, by bcrypt, which the C library of every account image can check."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()
