import socket
import struct
import threading
import time

import pytest

from mailpod.host.time_server import offset


@pytest.fixture
def server():
    """A time server that is an hour ahead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def answer(stratum):
            def once():
                _, who = listening.recvfrom(512)
                there = int(time.time()) + 3600 + 2_208_988_800
                listening.sendto(bytes([0x24, stratum]) + bytes(38) + struct.pack("!II", there, 0), who)

            thread = threading.Thread(target=once, daemon=True)
            thread.start()
            return listening.getsockname()[1]

        yield answer


def test_how_late_it_is(server):
    ahead, unsure = offset("127.0.0.1", server(2))
    assert -3601 < ahead < -3598
    assert unsure < 1


def test_a_server_that_does_not_know_itself(server):
    assert offset("127.0.0.1", server(0)) is None


def test_nobody_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert offset("127.0.0.1", port) is None
    assert offset("nobody.invalid") is None
