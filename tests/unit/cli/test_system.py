import io
import json
import sys

import pytest

from mailpod.services import installation


@pytest.fixture
def said(monkeypatch):
    """Give the next command a standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_status_says_through_whom_mail_leaves(mailpod, system, said):
    system.up()
    assert json.loads(mailpod("status", "--json").out)["relay_host"] is None
    assert "leaves through" not in mailpod("status").out
    said("secret\n")
    shown = mailpod(
        *("up", "example.org", "--relay-host", "smtp.example.net:465", "--relay-user", "club"),
        *("--relay-password-stdin", "--json"),
    )
    assert shown.code == 0, shown.err
    assert "mail for the outside leaves through smtp.example.net, port 465 as club" in mailpod("status").out
    document = mailpod("status", "--json").out
    assert json.loads(document)["relay_host"] == {"host": "smtp.example.net", "port": 465, "user": "club"}
    assert "secret" not in shown.out + shown.err + document
    assert mailpod("up", "example.org", "--relay-host", "none").code == 0
    assert json.loads(mailpod("status", "--json").out)["relay_host"] is None


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--relay-host", "not a host"], ""),
        (["--relay-host", "smtp.example.net", "--relay-user", "club"], ""),
        (["--relay-host", "smtp.example.net", "--relay-password-stdin"], "secret\n"),
        (["--relay-host", "smtp.example.net", "--relay-user", "club", "--relay-password-stdin"], ""),
        (["--relay-host", "smtp.example.net", "--relay-user", "club", "--relay-password-stdin"], "two\nlines\n"),
        (["--relay-host", "smtp.example.net", "--relay-ca", "/nonexistent"], ""),
        (["--relay-user", "club"], ""),
    ],
)
def test_a_bad_relay_host_ends_with_2_and_touches_nothing(mailpod, system, said, arguments, stdin):
    system.up("alice")
    before = system.state()
    said(stdin)
    refused = mailpod("up", "example.org", *arguments)
    assert refused.code == 2
    assert len(refused.lines) == 2, refused.err
    assert "secret" not in refused.err
    assert system.state() == before


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"silent SERVFAIL\n", "no answers of the DNS from the root servers (SERVFAIL); mail for the outside waits"),
        (b"bogus signature crypto failed\n", "not signed as they should be (signature crypto failed)"),
        (b"unverified\n", "answers of the DNS are not verified"),
    ],
)
def test_status_says_what_is_wrong_with_the_resolver_and_what_to_do(mailpod, system, said, told):
    system.up()
    assert "of the DNS" not in mailpod("status").out
    system.world.resolver = said
    shown = mailpod("status").out
    assert told in shown
    assert json.loads(mailpod("status", "--json").out)["resolver"]["state"] == said.split()[0].decode()
    # On a machine that is not to reach anybody nothing is wrong with that.
    installation.up(system.process(), system.planned(resolver="127.0.0.1"))
    assert told not in mailpod("status").out


def test_status_tells_of_guests_and_of_a_main_that_is_older(mailpod, system, monkeypatch):
    system.up("alice")
    assert "guest" not in mailpod("status").out
    mailpod("account", "set", "alice", "--expires", "7d")
    expires = json.loads(mailpod("status", "--json").out)["accounts"][0]["expires"]
    assert f"alice is a guest until {expires}" in mailpod("status").out
    assert "older image" not in mailpod("status").out
    system.pull(monkeypatch, "newer")
    assert "main is on an older image" in mailpod("status").out
