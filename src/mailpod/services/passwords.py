"""Passwords: made, checked, and turned into the only form in which they are kept."""

import ctypes
import ctypes.util
import os
import secrets
import unicodedata

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.passwords import Hashes

MIN_PASSWORD = 8
# Long enough for any sentence, short enough for every program on the way.
MAX_PASSWORD = 256
# OWASP's first choice for ARGON2ID: one thread, 19 MiB, which an account of the least memory has to spare.
_MEMORY_KIB = 19456
_ITERATIONS = 2
# crypt(5)'s own choice, 16 MiB.
_YESCRYPT_COST = 5


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


def hash_password(password: str) -> Hashes:
    """The password in every form that a stack may check, so that an account can change its stack.

    Raises:
        MailpodError: the machine's C library knows no yescrypt.
    """
    return Hashes(_yescrypt(password.encode()), _argon2id(password.encode()))


def _argon2id(password: bytes) -> str:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kind = Argon2id(salt=os.urandom(16), length=32, iterations=_ITERATIONS, lanes=1, memory_cost=_MEMORY_KIB)
    return kind.derive_phc_encoded(password)


def _yescrypt(password: bytes) -> str:
    """By crypt(3) of the machine, which Python no longer comes with a module for.

    Both functions answer in memory of their own; a `PyDLL` lets no other thread run meanwhile.
    """
    try:
        library = ctypes.PyDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
        library.crypt_gensalt.restype = library.crypt.restype = ctypes.c_char_p
        setting = library.crypt_gensalt(b"$y$", ctypes.c_ulong(_YESCRYPT_COST), None, 0)
        hashed = library.crypt(password, setting) if setting else None
    except (OSError, AttributeError):
        hashed = None
    if not hashed or not hashed.startswith(b"$y$"):
        raise MailpodError("the C library of this machine knows no yescrypt", "install libxcrypt (libcrypt1)")
    return str(hashed.decode())
