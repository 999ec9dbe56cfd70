"""An alias that points outside: who takes the mail there can check that this system may send it (SPF, RFC 7208)."""

import re
from collections.abc import Iterator

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, rcpt_code, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once

SENDER = "sam@outside.test"
ALIAS = "team@club.test"


@pytest.fixture(scope="module", autouse=True)
def team(system: System, alice: Account) -> Iterator[None]:
    """Alice and somebody outside."""
    system.cli.ok("alias", "add", ALIAS, alice.name, "friend@outside.test")
    yield
    system.cli.ok("alias", "delete", "team")


@pytest.fixture(scope="module")
def rewritten(system: System, alice: Account) -> str:
    """The sender that a message from outside has when it leaves again; the copy that stays keeps its own."""
    word = system.post(ALIAS, sender=SENDER)
    assert system.wait_for(alice, word)["Return-Path"] == f"<{SENDER}>"
    message = system.world.wait_for(word, "friend@outside.test")
    assert message["From"] == SENDER
    return str(message["Return-Path"]).strip("<>")


def test_a_foreign_sender_leaves_under_an_address_of_the_organisation(rewritten: str) -> None:
    assert re.fullmatch(r"SRS0=[^=]{8}=[^=]+=outside\.test=sam@club\.test", rewritten)


def test_what_comes_back_to_that_address_reaches_the_sender(system: System, rewritten: str) -> None:
    """A report, which has no sender, and the whole message when it is refused at the far side."""
    word = token()
    system.world.send(compose("mailer-daemon@outside.test", rewritten, word), [rewritten], sender="<>")
    report = system.world.wait_for(word, SENDER)
    assert report["Return-Path"] == "<>"

    system.cli.ok("alias", "add", "gone@club.test", "refused@outside.test")
    word = system.post("gone@club.test", sender=SENDER)
    report = system.world.wait_for(f"<{word}@test.invalid>", SENDER)
    assert report["Return-Path"] == "<>"
    assert report.get_content_type() == "multipart/report"
    system.cli.ok("alias", "delete", "gone")


def test_an_address_that_main_did_not_make_is_refused(system: System, rewritten: str) -> None:
    """Another hash, another sender under the same hash, another domain: main is no relay, and answers nobody later."""
    kind, sign, day, domain, sender = rewritten.split("=")
    host, port = f"mail.{system.domain}", system.port(25)
    assert rcpt_code(host, port, rewritten) == 250
    for forged in (
        f"{kind}={'A' * len(sign)}={day}={domain}={sender}",
        f"{kind}={sign[:4]}={day}={domain}={sender}",
        f"{kind}={sign}={day}={domain}=x{sender}",
        f"{kind}={sign}={day}=elsewhere.test={sender}",
        rewritten.replace("@club.test", "@alice.club.test"),
    ):
        assert rcpt_code(host, port, forged) == 550, forged


def test_an_account_and_a_report_keep_their_sender(system: System, bob: Account) -> None:
    """Only a foreign sender is rewritten."""
    word = token()
    system.submit(bob, compose(bob.short_address, ALIAS, word), ALIAS)
    assert system.world.wait_for(word, "friend@outside.test")["Return-Path"] == f"<{bob.short_address}>"
    word = system.post(ALIAS, sender="<>")
    assert system.world.wait_for(word, "friend@outside.test")["Return-Path"] == "<>"


def test_mail_waits_for_the_rewriting_and_other_mail_does_not(system: System, alice: Account) -> None:
    def shell(command: str) -> str:
        return execute(system.main, "sh", "-c", command)[1]

    shell(
        "s6-svc -wD -d /run/service/postsrsd; for p in /proc/[0-9]*; do "
        '[ "$(cat $p/comm)" != postsrsd ] || kill ${p#/proc/}; done'
    )
    try:
        word = system.post(ALIAS, sender=SENDER)
        system.wait_for(alice, word)
        assert "10026" in system.put_off("friend@outside.test") or "451" in system.put_off("friend@outside.test")
        assert not system.world.received(word)
    finally:
        shell("s6-svc -u /run/service/postsrsd")
    until(lambda: shell("postmap -q a@b.test tcp:127.0.0.1:10001"), "postsrsd")
    system.retry_now()
    assert str(system.world.wait_for(word, "friend@outside.test")["Return-Path"]).startswith("<SRS0=")
