"""The demo domain's names, as public DNS would answer them on the operator's machine."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast
from unittest.mock import patch


@contextmanager
def resolving(domain: str, address: str) -> Iterator[None]:
    """Make Python's resolver answer `address` for `domain` and every name below it."""
    real = socket.getaddrinfo

    def answer(host: object, *rest: object, **named: object) -> object:
        ours = isinstance(host, str) and (host == domain or host.endswith(f".{domain}"))
        return cast("Callable[..., object]", real)(address if ours else host, *rest, **named)

    with patch.object(socket, "getaddrinfo", answer):
        yield
