"""A relay host: what is for the outside leaves through another server that main logs in at, and nothing else does."""

import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.e2e.support.cli import Result
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once

HOST = "relay.outside.test"
PASSWORD = "club-password"
FRIEND = "friend@outside.test"
SENDER = "sam@outside.test"

Up = Callable[..., Result]


@pytest.fixture(scope="module")
def authority(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the relay host's certificate is from."""
    path = tmp_path_factory.mktemp("relay") / "ca.pem"
    path.write_text(system.world.run("cat", "/etc/postfix/relay_ca.pem")[1])
    return path


@pytest.fixture(scope="module")
def up(system: System, authority: Path) -> Iterator[Up]:
    """`up` with a relay host, and what else is said."""

    def run(*options: str, password: str = PASSWORD) -> Result:
        login = ("--relay-user", "club", "--relay-password-stdin", "--relay-ca", str(authority))
        return system.cli.ok("up", system.domain, "--relay-host", HOST, *login, *options, stdin=f"{password}\n")

    run()
    yield run
    system.cli.ok("up", system.domain, "--relay-host", "none")


def send(system: System, account: Account, recipient: str = FRIEND) -> str:
    word = token()
    system.submit(account, compose(account.short_address, recipient, word), recipient)
    return word


def through_relay(message: EmailMessage) -> bool:
    return "(Authenticated sender: club@outside.test)" in "".join(message.get_all("Received", []))


@pytest.mark.usefixtures("up")
def test_what_an_account_sends_leaves_through_it_and_what_is_for_one_does_not(
    system: System, alice: Account, bob: Account
) -> None:
    assert through_relay(system.world.wait_for(send(system, bob)))
    assert not through_relay(system.wait_for(alice, send(system, bob, alice.short_address)))
    assert not through_relay(system.wait_for(alice, system.post(alice.address)))
    assert f"leaves through {HOST}, port 587 as club" in system.cli.ok("status").out


@pytest.mark.usefixtures("up")
def test_what_an_alias_forwards_and_what_main_reports_leave_through_it(system: System) -> None:
    """Under an address of the organisation's, as without a relay host (test_forwarding)."""
    system.cli.ok("alias", "add", "away@club.test", FRIEND)
    system.cli.ok("alias", "add", "gone@club.test", "refused@outside.test")
    try:
        message = system.world.wait_for(system.post("away@club.test", sender=SENDER), FRIEND)
        assert through_relay(message)
        assert str(message["Return-Path"]).startswith("<SRS0=")
        word = system.post("gone@club.test", sender=SENDER)
        report = system.world.wait_for(f"<{word}@test.invalid>", SENDER)
        assert report["Return-Path"] == "<>"
        assert through_relay(report)
    finally:
        system.cli.ok("alias", "delete", "away")
        system.cli.ok("alias", "delete", "gone")


def test_mail_waits_while_the_password_is_wrong(system: System, bob: Account, up: Up) -> None:
    """Nothing bounces; with the right one it leaves at once, on port 465 as well."""
    up(password="wrong")
    word = send(system, bob)
    assert "authentication failed" in system.put_off(FRIEND)
    assert "authentication failed" in system.cli.ok("status").out
    assert not system.world.received(word)
    up("--relay-host", f"{HOST}:465")
    assert through_relay(system.world.wait_for(word))
    assert len(system.world.received(word)) == 1


def test_the_password_goes_to_nobody_whose_certificate_is_unknown(system: System, bob: Account, up: Up) -> None:
    up("--relay-ca", "none")
    word = send(system, bob)
    assert "certificate not verified" in system.put_off(FRIEND)
    up()
    assert through_relay(system.world.wait_for(word))


def test_the_password_is_seen_nowhere(system: System, up: Up) -> None:
    up()
    assert PASSWORD not in json.dumps(system.main.attrs) + system.main.logs().decode(errors="replace")
    code, found = execute(system.main, "cat", "/data/etc/tables/relay_host/password", user="postfix")
    assert code != 0, found


def test_what_waits_for_a_relay_host_that_is_down_leaves_straight_once_there_is_none(
    system: System, bob: Account, up: Up
) -> None:
    up("--relay-host", f"{HOST}:2525")
    word = send(system, bob)
    assert "2525" in system.put_off(FRIEND)
    system.cli.ok("up", system.domain, "--relay-host", "none")
    assert not through_relay(system.world.wait_for(word))
    assert len(system.world.received(word)) == 1
