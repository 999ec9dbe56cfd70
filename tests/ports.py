"""Ports of this machine that nobody uses."""

import random
import socket
from contextlib import suppress

from mailpod.model.records import DNS_PORT, PORTS


def free_port_base() -> int:
    """A number that, added to each of main's ports, gives a free one; none of those that clients get (ip(7))."""
    while True:
        base = random.randrange(20000, 28000, 10)
        with suppress(OSError):
            for number in (*PORTS.values(), DNS_PORT):
                with socket.create_server(("127.0.0.1", base + number)):
                    pass
            return base
