"""The demo domains' names, as public DNS would answer them on the operator's machine."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

_real = cast("Callable[..., object]", socket.getaddrinfo)
_addresses: list[tuple[str, str]] = []


@contextmanager
def resolving(domain: str, address: str) -> Iterator[None]:
    """Make Python's resolver answer `address` for `domain` and every name below it.

    Several may come and go, also of one domain: the one that came last is answered.
    """
    ours = (domain, address)
    _addresses.insert(0, ours)
    socket.getaddrinfo = _answer  # type: ignore[assignment]
    try:
        yield
    finally:
        _addresses.remove(ours)


def _answer(host: object, *rest: object, **named: object) -> object:
    for domain, address in _addresses:
        if isinstance(host, str) and (host == domain or host.endswith(f".{domain}")):
            return _real(address, *rest, **named)
    return _real(host, *rest, **named)
