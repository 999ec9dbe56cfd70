"""What cannot be delivered now waits and is seen to wait; what never can comes back to its sender."""

import contextlib
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.e2e.support.cli import ROOT
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

from mailpod.engine.compose import command


@contextlib.contextmanager
def outside_down(system: System) -> Iterator[None]:
    system.world.mail_server("stop")
    try:
        yield
    finally:
        system.world.mail_server("start")


@pytest.fixture(scope="module")
def writer(system: System) -> Account:
    """An account with a small mailbox, in which bounces are looked for."""
    return system.create("writer")


def bounce_of(system: System, account: Account, word: str, seconds: float = 20) -> str:
    """The report that came back for the message with `word`, as text."""

    def found() -> list[EmailMessage]:
        with system.mailbox(account) as mailbox:
            return mailbox.anywhere(word)

    report = until(found, "a bounce", seconds, every=0.3)[0]
    assert report.get_content_type() == "multipart/report"
    return report.as_string()


@pytest.mark.once
@pytest.mark.parametrize("recipient", ["refused@outside.test", "full@outside.test", "x@nowhere.test", "x@nomail.test"])
def test_what_the_outside_refuses_comes_back_as_a_bounce(system: System, writer: Account, recipient: str) -> None:
    """No such mailbox, full, no such domain, a domain without mail (RFC 7505): a report in the sender's mailbox."""
    word = token()
    system.submit(writer, compose(writer.short_address, recipient, word), recipient)
    report = bounce_of(system, writer, word)
    assert recipient in report
    assert "Action: failed" in report


@pytest.mark.once
def test_a_bounce_is_not_bounced(system: System, alice: Account) -> None:
    """Mail with the null sender is taken in (RFC 5321 section 4.5.5)."""
    word = system.post(alice.short_address, sender="")
    assert system.wait_for(alice, word)["Return-Path"] == "<>"


@pytest.mark.once
def test_mail_for_an_outside_server_that_is_down_waits_and_then_leaves(system: System, writer: Account) -> None:
    """It is queued, shown by `status` with where it goes and why it waits, and delivered once."""
    word = token()
    with outside_down(system):
        system.submit(writer, compose(writer.short_address, "erin@outside.test", word), "erin@outside.test")
        system.put_off("erin@outside.test")
        found = system.cli.ok("status", "--json").json()
        (waiting,) = [one for one in found["queue"] if "erin@outside.test" in one["recipients"]]
        assert waiting["sender"] == writer.short_address
        assert "outside.test" in waiting["reason"]
        assert waiting["size"] > 0
        assert found["main"]["waiting"] >= 1
        readable = system.cli.ok("status")
        assert "erin@outside.test" in readable.out + readable.err
    system.retry_now()
    system.world.wait_for(word, "erin@outside.test")
    until(lambda: not system.waiting("erin@outside.test"), "an empty queue")
    assert len(system.world.received(word)) == 1


@pytest.mark.once
def test_an_outside_server_that_says_later_is_tried_again(system: System, writer: Account) -> None:
    """451 defers, it does not bounce."""
    word = token()
    system.submit(writer, compose(writer.short_address, "later@outside.test", word), "later@outside.test")
    assert "Come back later" in system.put_off("later@outside.test")
    with system.mailbox(writer) as mailbox:
        assert not mailbox.anywhere(word)
    system.main.exec_run(["postsuper", "-d", "ALL", "deferred"])


def test_mail_for_an_account_that_is_stopped_waits_in_main(undamaged: System) -> None:
    """Accepted with 250, shown by `status`, delivered after the account is back; nobody gets a bounce."""
    account = undamaged.create("sleeper")
    undamaged.engine.account("sleeper").stop(timeout=10)
    word, worn = undamaged.post(account.short_address, sender="sender@outside.test"), token()
    travelled = compose("x@outside.test", account.short_address, worn)
    for number in range(27):
        travelled["Received"] = f"from a.example by b{number}.example; Mon, 2 Nov 2026 10:00:00 +0000"
    with undamaged.mx() as session:
        session.send_message(travelled)
    undamaged.put_off(account.address)
    for _ in range(3):
        undamaged.retry_now()
        undamaged.put_off(account.address)
    states = {one["name"]: one for one in undamaged.cli.ok("status", "--json").json()["accounts"]}
    assert states["sleeper"]["observed"] != "running"
    undamaged.apply()
    undamaged.retry_now()
    message = undamaged.wait_for(account, word)
    # The account looks whether it has it already (docs/adr/0012).
    assert any(header.startswith("by mail.") for header in message.get_all("Received", []))
    assert not undamaged.world.received(word)
    # With fifty Received headers it would be returned (postconf(5), hopcount_limit): what waits for long has few marks.
    headers = undamaged.wait_for(account, worn).get_all("Received", [])
    assert sum(header.startswith("by mail.") for header in headers) <= 2


def test_what_waits_for_an_account_is_there_as_soon_as_it_is_back(undamaged: System) -> None:
    """Nobody tells main but the account itself. What waits for another one is left alone."""
    account, other = undamaged.create("riser"), undamaged.create("sleeper2")
    for one in (account, other):
        undamaged.engine.account(one.name).stop(timeout=10)
    words = [undamaged.post(one.short_address) for one in (account, other)]
    undamaged.put_off(other.address)
    undamaged.put_off(account.address)
    undamaged.engine.account(account.name).start()
    until(lambda: undamaged.reaches(account), "an account that was started", 60)
    message = undamaged.wait_for(account, words[0], seconds=30)
    assert any(header.startswith("by mail.") for header in message.get_all("Received", []))
    script = "for file in $(find /data/spool/postfix/deferred -type f); do postcat -h $file; echo; done"
    queued = execute(undamaged.main, "sh", "-c", script)[1].split("\n\n")
    [left] = [headers for headers in queued if words[1] in headers]
    assert "Received: by mail." not in left


@pytest.mark.once
def test_accounts_that_hang_do_not_keep_others_from_their_mail(undamaged: System, alice: Account) -> None:
    """They take connections and say nothing. Their mail waits, as that of accounts that are down does."""
    hanging = [undamaged.create(f"hanging{number}") for number in range(6)]
    for account in hanging:
        undamaged.engine.account(account.name).pause()
    words = {account: [undamaged.post(account.address) for _ in range(3)] for account in hanging}
    word = undamaged.post(alice.address)
    undamaged.wait_for(alice, word, seconds=10)
    assert "timed out" in undamaged.put_off(hanging[-1].address)
    for account in hanging:
        undamaged.engine.account(account.name).unpause()
    until(lambda: "" not in undamaged.waiting("@hanging"), "an end to every attempt", 60)
    undamaged.retry_now()
    for account in hanging:
        for expected in words[account]:
            undamaged.wait_for(account, expected, seconds=60)


@pytest.mark.once
def test_main_comes_back_by_compose_alone(undamaged: System, alice: Account) -> None:
    """With the files that `up` wrote, and without the control plane: tables and certificates are on its volume."""
    undamaged.main.remove(force=True)
    state = undamaged.cli.state
    paths = (ROOT / "compose.yaml", *state.glob("compose.override.json"))
    files = [word for path in paths for word in ("--file", str(path))]
    project = ("--project-name", undamaged.engine.instance, "--env-file", str(state / "compose.env"))
    subprocess.run([*command(), *project, *files, "up", "--detach"], check=True)
    undamaged.world.attach(undamaged.main)
    undamaged.wait_until_up()
    word = token()
    undamaged.world.send(compose("erin@outside.test", alice.short_address, word), [alice.short_address])
    undamaged.wait_for(alice, word)
    word = token()
    undamaged.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
    undamaged.world.wait_for(word)


@pytest.mark.once
def test_an_account_whose_name_is_gone_from_the_network_is_down_and_not_unknown(undamaged: System) -> None:
    """Removed container: its internal name does not resolve, which must never bounce."""
    account = undamaged.create("vanished")
    undamaged.engine.account("vanished").remove(force=True)
    word = undamaged.post(account.address, sender="sender@outside.test")
    undamaged.put_off(account.address)
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


@pytest.mark.once
def test_mail_for_an_account_deleted_meanwhile_goes_back_to_its_sender(undamaged: System, writer: Account) -> None:
    """What waits for an account that is then deleted neither loops nor waits for days."""
    account = undamaged.create("leaver")
    undamaged.engine.account("leaver").stop(timeout=10)
    word = token()
    undamaged.submit(writer, compose(writer.short_address, account.short_address, word), account.short_address)
    undamaged.put_off(account.address)
    undamaged.cli.ok("account", "delete", "leaver", "--purge", "--yes")

    def gone() -> bool:
        # Postfix remembers for half a minute where an address leads.
        undamaged.retry_now()
        return not undamaged.waiting(account.address)

    until(gone, "its end in the queue", 60, every=2)
    assert account.address in bounce_of(undamaged, writer, word)
