"""Ports of this machine that nobody uses."""

import random
import socket
from contextlib import suppress
from itertools import combinations, count

from mailpod.model.records import DNS_PORT, PORTS

_NUMBERS = (*PORTS.values(), DNS_PORT)
_STEP = next(step for step in count(2) if all((one - other) % step for one, other in combinations(_NUMBERS, 2)))
"""No two bases that are so far apart, or a multiple of it, have a port in common."""


def free_port_base() -> int:
    """A number that, added to each of main's ports, gives a free one; none of those that clients get (ip(7)).

    Nobody else is given it as long as this process lives: whoever asks may build images before it listens.
    """
    for base in random.sample(range(20000, 28000, _STEP), 8000 // _STEP):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as mark:
            # A name without a file (unix(7), "abstract").
            mark.bind(f"\0mailpod test ports {base}")
            for number in _NUMBERS:
                with socket.create_server(("127.0.0.1", base + number)):
                    pass
            # Not closed: it is held until the process ends.
            mark.detach()
            return base
    raise AssertionError("no ports are free")
