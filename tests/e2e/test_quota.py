"""Quota: what an account that fills up and its senders are told, and that nothing is lost of it."""

import time

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

MEGABYTE = 1024 * 1024
WARNING = "Your_mailbox_is_filling_up"


@pytest.fixture(scope="module")
def full(system: System) -> Account:
    """An account with the least quota there is."""
    return system.create("full", "--quota", "10m")


def post(system: System, recipient: str, size: float) -> str:
    """Send a message of so many MB; returns the word in its subject."""
    word = token()
    message = compose("someone@outside.test", recipient, word, body=f"{'x' * 76}\n" * int(size * MEGABYTE / 78))
    with system.mx() as session:
        session.send_message(message, from_addr="someone@outside.test", to_addrs=[recipient])
    return word


def answer(system: System, recipient: str, size: float = 0) -> tuple[int, bytes]:
    """What main says to RCPT for a message of so many MB."""
    with system.mx() as session:
        session.ehlo("client.outside.test")
        session.mail("someone@outside.test", [f"SIZE={int(size * MEGABYTE)}"] if size else [])
        return session.rcpt(recipient)


def shown(system: System, account: Account) -> str:
    """What IMAP tells of the inbox's quota (RFC 9208)."""
    with system.mailbox(account) as mailbox:
        return str(mailbox.session.getquotaroot("INBOX")[1][1])


def warnings(system: System, account: Account) -> int:
    with system.mailbox(account) as mailbox:
        return mailbox.count(WARNING)


def test_a_mailbox_that_fills_up(system: System, full: Account, bob: Account) -> None:
    """Shown, warned of twice, refused at RCPT by whatever name, put off by the account itself, and undone."""
    for size in (4, 2.5):
        system.wait_for(full, post(system, full.short_address, size))
    assert warnings(system, full) == 0
    assert "(STORAGE 65" in shown(system, full)
    assert " 10240)" in shown(system, full)
    # The links of an export that was killed (copy/snapshot) are not mail a second time.
    links = "mkdir -p snapshot/cur; find cur new -type f -exec ln {} snapshot/cur/ ';'; rm maildirsize"
    assert execute(system.engine.account(full.name), "sh", "-c", f"cd ~box/Maildir; {links}", user="box")[0] == 0
    assert answer(system, full.address, 1.0)[0] == 250
    assert execute(system.engine.account(full.name), "rm", "-r", "/data/home/Maildir/snapshot", user="box")[0] == 0

    # beyond 80 %
    system.wait_for(full, post(system, full.address, 1.8))
    until(lambda: warnings(system, full) == 1, "a warning")
    system.cli.ok("alias", "add", f"one-{full.name}", full.name)
    system.cli.ok("alias", "add", f"several-{full.name}", full.name, bob.name)
    names = (
        full.short_address,
        full.address,
        full.short_address.replace("@", "+tag@"),
        f"one-{full.name}@{system.domain}",
    )
    for name in names:
        assert answer(system, name, 1.0)[0] == 250
        # What an account does not tell within some seconds is taken, for a while.
        until(lambda name=name: answer(system, name, 3.0)[0] == 452, "a mailbox that is full", 40)  # type: ignore[misc]
        assert answer(system, name, 3.0)[1].startswith(b"4.2.2 ")
    with system.mailbox(full) as mailbox:
        status, told = mailbox.session.append("INBOX", "", "", b"x" * 3 * MEGABYTE)
        assert status == "NO"
        assert b"quota" in told[0].lower()

    # of several, the others get theirs at once, and what main has taken waits
    word = post(system, f"several-{full.name}@{system.domain}", 3)
    system.wait_for(bob, word)
    assert "4.2.2" in system.put_off(full.address)

    # beyond 95 %
    system.wait_for(full, post(system, full.short_address, 1.5))
    until(lambda: warnings(system, full) == 2, "a second warning")
    system.wait_for(full, post(system, full.short_address, 0))
    assert warnings(system, full) == 2

    system.cli.ok("account", "set", full.name, "--quota", "20m")
    assert " 20480)" in shown(system, full)
    system.retry_now()
    system.wait_for(full, word)
    system.cli.ok("account", "set", full.name, "--quota", "none")
    assert "STORAGE" not in shown(system, full)
    assert answer(system, full.short_address, 30)[0] == 250


def test_an_account_with_a_quota_that_is_down_delays_nobody(system: System, full: Account) -> None:
    system.cli.ok("account", "set", full.name, "--quota", "1g")
    container = system.engine.account(full.name)
    container.stop(timeout=10)

    def took() -> tuple[float, str]:
        start = time.monotonic()
        word = post(system, full.short_address, 0)
        return time.monotonic() - start, word

    seconds, word = min(took() for _ in range(3))
    assert seconds < 4
    assert system.put_off(full.address)
    container.start()
    until(lambda: system.reaches(full), "an account that was started", 30)
    system.retry_now()
    system.wait_for(full, word)


def test_other_accounts_cannot_ask_how_full_one_is(system: System, full: Account, alice: Account) -> None:
    """No packet of theirs comes through, and no answer to a guess if it did."""
    system.cli.ok("account", "set", full.name, "--quota", "1g")
    script = f"exec 3<>/dev/tcp/{full.name}.mailpod.internal/10027 && echo guess >&3 && cat <&3"
    code, told = execute(system.engine.account(alice.name), "timeout", "20", "bash", "-c", script)
    assert code == 1
    assert "refused" in told
