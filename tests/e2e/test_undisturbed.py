"""Nobody notices while accounts come and go."""

import imaplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from tests.e2e.support.mail import smtp
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once

INTERVAL = 0.1


class Probe:
    """Asks ten times a second in a thread, and counts the answers."""

    def __init__(self, ask: Callable[["Probe"], None]) -> None:
        self.answers: Counter[str] = Counter()
        self.done = threading.Event()
        self._thread = threading.Thread(target=ask, args=(self,))

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.done.set()
            self._thread.join(30)

    def heard(self, code: int, text: bytes) -> None:
        self.answers["250" if code == 250 else f"{code} {text.decode()}"] += 1

    def ticks(self) -> Iterator[None]:
        due = time.monotonic()
        while not self.done.wait(max(0.0, due - time.monotonic())):
            due += INTERVAL
            yield


def new_connections(system: System, recipients: list[str], probe: Probe) -> None:
    for number, _ in enumerate(probe.ticks()):
        try:
            with smtp("127.0.0.1", system.port(25)) as session:
                session.ehlo("probe.outside.test")
                session.mail("probe@outside.test")
                probe.heard(*session.rcpt(recipients[number % len(recipients)]))
        except OSError as error:
            probe.answers[repr(error)] += 1


def one_connection(system: System, recipients: list[str], probe: Probe) -> None:
    with smtp("127.0.0.1", system.port(25)) as session:
        session.ehlo("probe.outside.test")
        session.mail("probe@outside.test")
        for number, _ in enumerate(probe.ticks()):
            probe.heard(*session.rcpt(recipients[number % len(recipients)]))
            if number % 500 == 499:  # Postfix takes a thousand recipients a message
                session.rset()
                session.mail("probe@outside.test")


def logins(system: System, account: Account, probe: Probe) -> None:
    for _ in probe.ticks():
        try:
            with system.mailbox(account) as mailbox:
                probe.answers[mailbox.session.noop()[0]] += 1
        except (OSError, imaplib.IMAP4.error) as error:
            probe.answers[repr(error)] += 1


def come_and_go(system: System, number: int) -> None:
    system.create(f"guest{number}")
    system.cli.ok("account", "delete", f"guest{number}", "--purge", "--yes")


def test_existing_addresses_are_accepted_while_twenty_accounts_are_created_and_deleted(
    system: System, alice: Account, bob: Account
) -> None:
    """Not one refusal or deferral, on new connections, on one long connection, and over IMAP."""
    recipients = [alice.address, bob.short_address, f"postmaster@{system.domain}", f"alice+tag@{system.domain}"]
    mx = Probe(partial(new_connections, system, recipients))
    session = Probe(partial(one_connection, system, recipients))
    imap = Probe(partial(logins, system, alice))
    with mx.running(), session.running(), imap.running(), ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(come_and_go, system), range(20)))
    assert set(mx.answers) == {"250"}, mx.answers
    assert set(session.answers) == {"250"}, session.answers
    assert set(imap.answers) == {"OK"}, imap.answers
    assert mx.answers["250"] > 100
    assert session.answers["250"] > 100
