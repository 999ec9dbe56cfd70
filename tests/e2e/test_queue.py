"""What cannot be delivered now waits and is seen to wait; what never can comes back to its sender."""

import contextlib
from collections.abc import Iterator

import pytest
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until


@contextlib.contextmanager
def outside_down(system: System) -> Iterator[None]:
    system.world.mail_server("stop")
    try:
        yield
    finally:
        system.world.mail_server("start")


@pytest.mark.parametrize("recipient", ["refused@outside.test", "full@outside.test", "x@nowhere.test", "x@nomail.test"])
def test_what_the_outside_refuses_comes_back_as_a_bounce(system: System, alice: Account, recipient: str) -> None:
    """No such mailbox, full, no such domain, a domain without mail (RFC 7505): a report in the sender's mailbox."""
    word = token()
    system.submit(alice, compose(alice.short_address, recipient, word), recipient)

    def bounce() -> str | None:
        with system.mailbox(alice) as mailbox:
            mailbox.session.select("INBOX", readonly=True)
            _, found = mailbox.session.search(None, "BODY", word)
            numbers = found[0].split()
            if not numbers:
                return None
            _, data = mailbox.session.fetch(numbers[-1].decode(), "(BODY.PEEK[])")
            assert isinstance(data[0], tuple)
            return data[0][1].decode()

    report = until(bounce, f"the bounce of {recipient}", 20)
    assert "multipart/report" in report
    assert recipient in report
    assert "Action: failed" in report


def test_a_bounce_is_not_bounced(system: System, alice: Account) -> None:
    """Mail with the null sender is taken in (RFC 5321 section 4.5.5)."""
    word = system.post(alice.short_address, sender="")
    assert system.wait_for(alice, word)["Return-Path"] == "<>"


def test_mail_for_an_outside_server_that_is_down_waits_and_then_leaves(system: System, alice: Account) -> None:
    """It is queued, shown by `status` with where it goes and why it waits, and delivered once."""
    word = token()
    with outside_down(system):
        system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
        waiting = until(
            lambda: [m for m in system.waiting() if "erin@outside.test" in m["recipients"] and m["reason"]],
            "the message in main's queue",
        )
        assert len(waiting) == 1
        assert waiting[0]["sender"] == alice.short_address
        assert "outside.test" in waiting[0]["reason"]
        assert waiting[0]["size"] > 0
        readable = system.cli.ok("status")
        assert "erin@outside.test" in readable.out + readable.err
    system.retry_now()
    system.world.wait_for(word, "erin@outside.test")
    until(lambda: not system.waiting(), "an empty queue")
    assert len(system.world.received(word)) == 1


def test_an_outside_server_that_says_later_is_tried_again(system: System, alice: Account) -> None:
    """451 defers, it does not bounce; the message can still be seen."""
    word = token()
    system.submit(alice, compose(alice.short_address, "later@outside.test", word), "later@outside.test")
    waiting = until(
        lambda: [m for m in system.waiting() if "later@outside.test" in m["recipients"] and m["reason"]],
        "the deferred message",
    )
    assert "Come back later" in waiting[0]["reason"]
    system.main.exec_run(["postsuper", "-d", waiting[0]["queue_id"]])
    with system.mailbox(alice) as mailbox:
        assert mailbox.count("later@outside.test") == 0


def test_mail_for_an_account_that_is_stopped_waits_in_main(undamaged: System) -> None:
    """Accepted with 250, shown by `status`, delivered after the account is back; nobody gets a bounce."""
    account = undamaged.create("sleeper")
    undamaged.engine.account("sleeper").stop(timeout=10)
    word = undamaged.post(account.short_address, sender="sender@outside.test")
    waiting = until(
        lambda: [m for m in undamaged.waiting() if account.address in m["recipients"] and m["reason"]],
        "the message in main's queue",
        40,
    )
    assert waiting
    states = {one["name"]: one for one in undamaged.cli.ok("status", "--json").json()["accounts"]}
    assert states["sleeper"]["observed"] != "running"
    undamaged.apply()
    undamaged.retry_now()
    undamaged.wait_for(account, word)
    assert not undamaged.world.received(word)


def test_an_account_whose_name_is_gone_from_the_network_is_down_and_not_unknown(undamaged: System) -> None:
    """Removed container: its internal name does not resolve, which must never bounce."""
    account = undamaged.create("vanished")
    undamaged.engine.account("vanished").remove(force=True)
    word = undamaged.post(account.address, sender="sender@outside.test")
    until(
        lambda: [m for m in undamaged.waiting() if account.address in m["recipients"] and m["reason"]],
        "the message in main's queue",
        40,
    )
    assert undamaged.cli.ok("account", "show", "vanished", "--json").json()["status"] == "missing"
    undamaged.apply()
    undamaged.retry_now()
    undamaged.wait_for(account, word)
    assert not undamaged.world.received(word)


def test_mail_written_while_main_is_down_waits_in_the_account(undamaged: System, alice: Account) -> None:
    """The account's own queue keeps what it acknowledged, until main takes it."""
    word = token()
    account = undamaged.engine.account(alice.name)
    undamaged.main.stop(timeout=10)
    message = compose(alice.address, "erin@outside.test", word).as_string()
    script = f"cat > /tmp/m <<'END'\n{message}\nEND\nsendmail -f {alice.address} erin@outside.test < /tmp/m"
    code, output = account.exec_run(["sh", "-c", script], user="box")
    assert code == 0, output
    undamaged.main.start()
    undamaged.wait_until_up()
    account.exec_run(["postqueue", "-f"])
    undamaged.world.wait_for(word, seconds=40)


def test_mail_for_an_account_deleted_meanwhile_goes_back_to_its_sender(undamaged: System, alice: Account) -> None:
    """What waits for an account that is then deleted neither loops nor waits for days."""
    account = undamaged.create("leaver")
    undamaged.engine.account("leaver").stop(timeout=10)
    word = token()
    undamaged.submit(alice, compose(alice.short_address, account.short_address, word), account.short_address)
    until(lambda: [m for m in undamaged.waiting() if account.address in m["recipients"]], "the message in the queue")
    undamaged.cli.ok("account", "delete", "leaver", "--purge", "--yes")
    undamaged.retry_now()
    until(lambda: not [m for m in undamaged.waiting() if account.address in m["recipients"]], "its end in the queue")
    with undamaged.mailbox(alice) as mailbox:

        def bounced() -> bool:
            mailbox.session.select("INBOX", readonly=True)
            return bool(mailbox.session.search(None, "BODY", word)[1][0].split())

        until(bounced, "the bounce")
