import socket
import threading

import pytest

from mailpod.host import facts
from mailpod.host.facts import Answer, missing_commands, ping


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
        server.listen()
        yield server


def answer_once(listener, reply):
    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", Answer.OK),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", Answer.SILENT),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Answer.SILENT),
        (b"", Answer.SILENT),
    ],
)
def test_ping(tmp_path, listener, reply, expected):
    thread = answer_once(listener, reply)
    assert ping(tmp_path / "sock") is expected
    thread.join()


def test_ping_nobody(tmp_path):
    assert ping(tmp_path / "sock") is Answer.SILENT


def test_ping_an_engine_that_hangs(tmp_path, listener):
    assert ping(tmp_path / "sock", timeout=0.05) is Answer.SILENT


def test_missing_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr(facts, "_PLUGIN_FOLDERS", (str(tmp_path / "plugins"),))
    monkeypatch.setenv("HOME", str(tmp_path))
    make_program(tmp_path / "ssh")
    assert missing_commands(["compose", "ssh", "swaks"]) == ("compose", "swaks")


@pytest.mark.parametrize("programs", [["docker-compose"], ["docker", "plugins/docker-compose"]])
def test_compose_in_either_form(tmp_path, monkeypatch, programs):
    monkeypatch.setattr(facts, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr(facts, "_PLUGIN_FOLDERS", (str(tmp_path / "plugins"),))
    monkeypatch.setenv("HOME", str(tmp_path))
    for program in programs:
        make_program(tmp_path / program)
    assert facts.has_compose()


def test_a_named_engine_is_not_asked_here_and_this_kernel_is_not_its(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.test:2376")
    found = facts.gather([])
    assert (found.answer, found.inotify_instances) == (Answer.OK, 0)


def make_program(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
