"""What an account's software makes of a password."""

import ctypes
import ctypes.util

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from mailpod.model.passwords import Hashes

_LIBRARY = ctypes.PyDLL(ctypes.util.find_library("crypt"))
_LIBRARY.crypt.restype = ctypes.c_char_p


def checks(hashes: Hashes, password: str) -> bool:
    """Whether a password opens an account with these hashes; every stack has to say the same."""
    by_crypt = _LIBRARY.crypt(password.encode(), hashes.yescrypt.encode()) == hashes.yescrypt.encode()
    try:
        Argon2id.verify_phc_encoded(password.encode(), hashes.argon2id)
    except InvalidKey:
        by_argon2id = False
    else:
        by_argon2id = True
    assert by_crypt == by_argon2id
    return by_crypt
