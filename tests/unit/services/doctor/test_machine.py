"""Published ports, asked as a client asks them."""

import contextlib
import socket
import threading

import pytest

from mailpod.model.doctor.finding import Finding
from mailpod.model.records import PORTS, System
from mailpod.services.doctor import machine


@contextlib.contextmanager
def listening(greeting):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            with contextlib.suppress(OSError):
                session, _ = server.accept()
                with session:
                    session.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]


def asked(service, port):
    system = System(
        domain="example.org", instance="mailpod", ipv6_subnet="fd00:1:2:3::/64", port_base=port - PORTS[service]
    )
    return machine._port(system, service)


@pytest.mark.parametrize(
    ("service", "greeting"), [("smtp", b"220 mail\r\n"), ("imap", b"* OK [CAPABILITY]\r\n"), ("ssh", b"SSH-2.0-x\r\n")]
)
def test_a_server_that_greets_is_well(service, greeting):
    with listening(greeting) as port:
        assert asked(service, port) == []


def test_a_server_that_says_something_else():
    with listening(b"421 later\r\n") as port:
        (found,) = asked("smtp", port)
    assert (found.severity, found.where) == ("error", f"127.0.0.1:{port}")
    assert "421 later" in found.what


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (found,) = asked("smtp", port)
    assert "does not answer" in found.what


def test_a_server_without_tls_where_it_should_be():
    with listening(b"* OK\r\n") as port:
        (found,) = asked("imaps", port)
    assert "imaps of main does not answer" in found.what


def test_a_clock_that_nobody_can_tell_of_is_noted(system, monkeypatch):
    monkeypatch.setattr(machine.time_server, "offset", lambda server: None)
    assert [one.severity for one in machine.time(system.process(), "pool.example")] == ["note"]
    monkeypatch.setattr(machine.time_server, "offset", lambda server: (60.0, 0.1))
    assert [one.severity for one in machine.time(system.process(), "pool.example")] == ["warning"]
    assert isinstance(machine.time(system.process(), "pool.example")[0], Finding)
