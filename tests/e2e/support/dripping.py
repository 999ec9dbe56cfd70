"""Connections to main's ports as a bad client has them, and clients that say one byte a second."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.e2e.support.system import System

IMPLICIT_TLS = {443, 465, 993}
DRIPPED = {25, 143, 587, 993, 2222}


def connected(system: System, number: int) -> socket.socket:
    """A connection that trusts main's certificate, if the port begins with TLS; no word has been said."""
    raw = socket.create_connection(("127.0.0.1", system.port(number)), timeout=20)
    if number not in IMPLICIT_TLS:
        return raw
    return system.tls.wrap_socket(raw, server_hostname=f"mail.{system.domain}")


@dataclass
class Drips:
    """What became of clients that drip.

    Attributes:
        main_since: when the main that they talk to was started, as the engine says it.
        cut_off: by port, after how many seconds it had enough.
    """

    main_since: str
    cut_off: dict[int, float] = field(default_factory=dict)


@contextlib.contextmanager
def dripping(system: System) -> Iterator[Drips]:
    """A client at every port that may be talked to, each in a thread of its own."""
    drips = Drips(system.main.attrs["State"]["StartedAt"])
    start = time.monotonic()

    def drip(number: int, connection: socket.socket) -> None:
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"X")
                with contextlib.suppress(TimeoutError):
                    if connection.recv(500) == b"":
                        break
        drips.cut_off[number] = time.monotonic() - start

    with contextlib.ExitStack() as stack:
        for number in DRIPPED:
            connection = stack.enter_context(connected(system, number))
            assert connection.recv(500), number
            threading.Thread(target=drip, args=(number, connection), daemon=True).start()
        yield drips
