"""Who answers at a port: what can be told of that from this machine."""

import contextlib
import socket
from typing import Protocol

_PATIENCE = 5.0
_LONGEST_GREETING = 512


class Dial(Protocol):
    """Connects to a port."""

    def __call__(self, address: str, port: int, *, greeted: bool = False) -> str:
        """Connect, and hang up.

        Args:
            greeted: wait for a line, as a mail server says one first.

        Returns:
            That line; empty for none.

        Raises:
            OSError: nobody answers.
        """


def dial(address: str, port: int, *, greeted: bool = False) -> str:
    """A `Dial` over TCP."""
    with socket.create_connection((address, port), _PATIENCE) as connection:
        if not greeted:
            return ""
        with contextlib.suppress(TimeoutError):
            return connection.recv(_LONGEST_GREETING).decode(errors="replace").strip()
        return ""


def reason(error: OSError) -> str:
    """Why nobody answers, in a word or two."""
    return "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
