"""What passes between mailpod and a container of a moment; a pair of sockets plays the engine."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from mailpod.engine import helpers
from mailpod.model.errors import MailpodError

SILENCE = 0.3


@pytest.fixture
def joined(monkeypatch):
    """A helper, and the container's end of its connection."""
    monkeypatch.setattr(helpers, "_SILENCE", SILENCE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield helpers.Helper(None, "1", SimpleNamespace(_sock=ours)), theirs


def frame(stream, content):
    """As the engine packs it (Docker API, "attach")."""
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def test_both_streams_are_read_however_they_are_cut(joined):
    helper, container = joined
    said = frame(1, b"one") + frame(2, b"why") + frame(1, b"") + frame(1, b"x" * 70000)

    def say():
        for at in range(0, len(said), 4099):
            container.sendall(said[at : at + 4099])
        container.shutdown(socket.SHUT_WR)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(say)
        assert b"".join(helper.output()) == b"one" + b"x" * 70000
    assert helper.said == b"why"


def test_one_that_says_nothing_is_waited_for_while_it_takes_what_it_is_given(joined):
    helper, container = joined

    def slowly():
        for _ in range(10):
            time.sleep(SILENCE / 5)
            yield b"piece"

    def take():
        while container.recv(4096):
            pass
        container.sendall(frame(1, b"done"))
        container.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=take)
    thread.start()
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(lambda: b"".join(helper.output()))
        assert helper.give(slowly()) == 50
        assert said.result() == b"done"
    thread.join()


def test_where_nothing_moves_it_is_given_up(joined):
    helper, _ = joined
    with pytest.raises(MailpodError, match="nothing has moved"):
        list(helper.output())


def test_one_that_takes_nothing_is_given_up_and_not_heard_any_more(joined):
    helper, _ = joined
    with pytest.raises(MailpodError, match="nothing has moved"):
        helper.give(iter([b"x" * (64 * 1024 * 1024)]))
    assert list(helper.output()) == []
