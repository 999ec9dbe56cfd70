"""Limits of an account: what it may take of the machine, and what it is told beyond that."""

import imaplib
from contextlib import ExitStack

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import rcpt_code
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until


@pytest.fixture(scope="module")
def small(system: System) -> Account:
    return system.create("small", "--connections", "5", "--processes", "64", "--quota", "20m")


def test_sessions_beyond_the_limit_are_refused_and_others_go_on(system: System, small: Account) -> None:
    with ExitStack() as stack:
        mailboxes = [stack.enter_context(system.mailbox(small)) for _ in range(5)]
        with pytest.raises(imaplib.IMAP4.error), system.mailbox(small):
            pass
        assert all(mailbox.session.noop()[0] == "OK" for mailbox in mailboxes)
    assert system.reaches(small)


@pytest.mark.once
def test_an_account_that_forks_runs_into_its_own_limit(system: System, small: Account, alice: Account) -> None:
    container = system.engine.account(small.name)
    _, told = execute(container, "sh", "-c", "for i in $(seq 100); do sleep 3 & done; wait", user="box")
    assert "Cannot fork" in told
    assert system.reaches(alice)
    until(lambda: execute(container, "pgrep", "-c", "sleep")[1].strip() == "0", "an end of what it started")


def test_files_beside_the_mail_count(system: System, small: Account) -> None:
    """Noticed by the health check."""
    container = system.engine.account(small.name)

    def answer_after(command: str) -> int:
        assert execute(container, "sh", "-c", command, user="box") == (0, "")
        execute(container, "/usr/lib/mailpod/health/banners")
        return rcpt_code("127.0.0.1", system.port(25), small.short_address)

    assert answer_after("head -c 25000000 /dev/zero >/data/home/film") == 452
    assert answer_after("rm /data/home/film") == 250
