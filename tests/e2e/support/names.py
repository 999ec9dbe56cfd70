"""The demo domain's names, as public DNS would answer them on the operator's machine."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def resolving(domain: str, address: str) -> Iterator[None]:
    """Make Python's resolver answer `address` for `domain` and every name below it."""
    real = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **named: Any) -> Any:
        ours = isinstance(host, str) and (host == domain or host.endswith(f".{domain}"))
        return real(address if ours else host, *rest, **named)

    with patch.object(socket, "getaddrinfo", answer):
        yield
