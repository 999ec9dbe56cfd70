"""Where the system listens, and who serves the zone when nobody says it."""

import socket

import pytest
from tests.ports import free_port_base

from mailpod.model.errors import MailpodError
from mailpod.services import planning, ports


@pytest.fixture
def taken():
    """The port base of a system whose port for DNS somebody else has, by UDP as a resolver does."""
    base = free_port_base()
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", base + 53))
        yield base


def planned(system, base, **options):
    return planning.planned(system.store, "example.org", "mailpod", bind="127.0.0.1", port_base=base, **options)


def test_the_zone_is_served_where_nobody_else_serves_one(system):
    assert planned(system, free_port_base()).dns == "built-in"


def test_a_machine_with_a_resolver_leaves_it_to_others(system, taken):
    assert planned(system, taken).dns == "elsewhere"
    ports.check(planned(system, taken), ())


def test_who_asks_for_it_is_told_why_it_cannot_be(system, taken, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(MailpodError, match=rf"port {taken + 53} \(DNS\) of 127\.0\.0\.1"):
        ports.check(planned(system, taken, dns="built-in"), ())
    ports.check(planned(system, taken, dns="built-in"), {taken + 53})
