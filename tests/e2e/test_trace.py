"""Where a message is, what waits, and what the operator can do about it."""

import contextlib
import smtplib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

LATER = "later@outside.test"


@pytest.fixture(scope="module")
def olga(system: System) -> Account:
    """An account with a small mailbox."""
    return system.create("olga")


def traced(system: System, what: str) -> dict[str, Any]:
    """The one journey of a message."""
    (journey,) = system.cli.ok("trace", what, "--json").json()
    return dict(journey)


def ends(system: System, what: str, kind: str, text: str = "") -> dict[str, Any]:
    """The journey, once it has ended so, and with these words, for its one recipient."""

    def ended() -> dict[str, Any] | None:
        journey = traced(system, what)
        found = [(one["kind"], one["text"].endswith(text)) for one in journey["outcomes"]]
        return journey if found == [(kind, True)] else None

    return until(ended, f"{what} to be {kind} {text}", 40)


def waiting(system: System, recipient: str) -> list[dict[str, Any]]:
    """What `queue list` tells of this recipient."""
    return [one for one in system.cli.ok("queue", "list", "--json").json() if recipient in one["recipients"]]


def put_off(system: System, recipient: str) -> dict[str, Any]:
    """The one message for this recipient, once it was tried."""
    return until(lambda: [one for one in waiting(system, recipient) if one["queue"] == "deferred"], "a message", 20)[0]


def write_later(system: System, account: Account) -> tuple[str, dict[str, Any]]:
    """Send what the outside puts off; returns its word, and it as `queue list` has it."""
    word = token()
    system.submit(account, compose(account.short_address, LATER, word), LATER)
    return word, put_off(system, LATER)


@contextlib.contextmanager
def without_delivery(system: System, account: Account) -> Iterator[None]:
    """Nobody delivers in an account meanwhile, and nobody has it tried again, as Dovecot's start would."""
    container, door = system.engine.account(account.name), "/run/dovecot/lmtp"
    assert execute(container, "mv", door, f"{door}.away")[0] == 0
    try:
        yield
    finally:
        assert execute(container, "mv", f"{door}.away", door)[0] == 0


def test_a_message_is_followed_from_outside_into_a_folder(system: System, alice: Account) -> None:
    word = system.post(alice.short_address)
    system.wait_for(alice, word)
    journey = ends(system, f"<{word}@test.invalid>", "delivered", "in mailbox of alice (INBOX)")
    assert [step["element"] for step in journey["steps"]][:1] == ["main"]
    (handed,) = [step for step in journey["steps"] if "handed to alice" in step["what"]]
    (there,) = {step["queue_id"] for step in journey["steps"] if step["element"] == "alice"}
    assert there in handed["what"]
    assert there in system.cli.ok("logs", "alice", "--since", "5m").out
    readable = system.cli.ok("trace", alice.short_address, "--since", "5m").out
    assert "in mailbox of alice (INBOX)" in readable


@pytest.mark.once
def test_a_message_is_followed_from_an_account_to_the_outside(system: System, alice: Account) -> None:
    word = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
    system.world.wait_for(word)
    journey = ends(system, f"{word}@test.invalid", "sent")
    assert journey["outcomes"][0]["text"] == "sent to mx.outside.test"
    assert {step["element"] for step in journey["steps"]} == {"alice", "main"}


@pytest.mark.once
def test_what_was_refused_is_told_with_the_reason(system: System, alice: Account) -> None:
    """At RCPT there is no message yet; Rspamd refuses one that is there."""
    nobody = f"{token()}@club.test"
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        system.post(nobody)
    assert "No such account here" in traced(system, nobody)["outcomes"][0]["text"]
    word = token()
    spam = compose("someone@outside.test", alice.short_address, word)
    spam.set_content("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
    with pytest.raises(smtplib.SMTPDataError), system.mx() as session:
        session.send_message(spam)
    (outcome,) = traced(system, f"{word}@test.invalid")["outcomes"]
    assert (outcome["kind"], "Gtube" in outcome["text"]) == ("refused", True)


@pytest.mark.once
def test_what_waits_in_main_can_be_looked_at_dropped_and_returned(system: System, olga: Account) -> None:
    """Dropped, nobody is told; with --bounce its sender is."""
    word, message = write_later(system, olga)
    assert "Come back later" in message["reason"]
    assert "waits in main: " in traced(system, f"{word}@test.invalid")["outcomes"][0]["text"]
    shown = system.cli.ok("queue", "show", message["id"], "--body", "--json").json()
    assert (word in shown["headers"], "Hello." in shown["headers"], "Hello." in shown["body"]) == (True, False, True)
    assert shown["next_try"] > shown["since"]
    system.cli.ok("queue", "drop", message["id"], "--yes")
    assert not waiting(system, LATER)
    assert ends(system, f"{word}@test.invalid", "dropped")
    returned, message = write_later(system, olga)
    system.cli.ok("queue", "drop", message["queue_id"], "--bounce", "--yes")
    assert ends(system, f"{returned}@test.invalid", "returned")
    with system.mailbox(olga) as mailbox:
        until(lambda: mailbox.anywhere(returned), "a report", 20)
        assert not mailbox.anywhere(word)


@pytest.mark.once
def test_what_waits_is_tried_at_once_and_comes_once(system: System, olga: Account) -> None:
    """In main for the outside, and in an account for its own mailbox."""
    out = token()
    system.world.mail_server("stop")
    try:
        system.submit(olga, compose(olga.short_address, "erin@outside.test", out), "erin@outside.test")
        message = put_off(system, "erin@outside.test")
    finally:
        system.world.mail_server("start")
    system.cli.ok("queue", "retry", message["id"])
    system.world.wait_for(out)
    with without_delivery(system, olga):
        here = system.post(olga.short_address)
        inside = put_off(system, olga.address)
        assert inside["element"] == "olga"
        assert "waits in olga: " in traced(system, f"{here}@test.invalid")["outcomes"][0]["text"]
    system.cli.ok("queue", "retry", inside["queue_id"], "--of", "olga")
    system.wait_for(olga, here)
    assert len(system.world.received(out)) == 1
    with system.mailbox(olga) as mailbox:
        assert mailbox.count(here) == 1


@pytest.mark.once
def test_prometheus_reads_the_numbers(system: System, alice: Account) -> None:
    """A message that comes counts once."""

    def numbers() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(system.cli.ok("metrics").out)
        return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}

    delivered = ("mailpod_messages_delivered_total", "alice")
    size = ("mailpod_mailbox_bytes", "alice")
    # An account that does not answer soon is left out.
    before = until(lambda: found if (found := numbers()).keys() >= {size, delivered} else None, "her numbers", 40)
    system.wait_for(alice, system.post(alice.short_address))

    def counted() -> dict[tuple[str, ...], float] | None:
        found = numbers()
        return found if size in found and found[delivered] > before[delivered] else None

    after = until(counted, "a count", 40)
    assert after[delivered] == before[delivered] + 1
    assert after["mailpod_up", "main"] == after["mailpod_up", "alice"] == 1
    assert after["mailpod_memory_bytes", "main"] > 1 << 20
    assert after[size] > before[size] > 0
    assert after["mailpod_certificate_end_timestamp_seconds", "main"] > time.time()
    assert ("mailpod_queue_messages", "main", "deferred") in after
