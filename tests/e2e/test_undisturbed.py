"""Nobody notices while accounts come and go, and meanwhile those that have nothing to do come to rest."""

import imaplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from docker.models.containers import Container
from tests.e2e.support.mail import smtp
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once

INTERVAL = 0.1
SHARED = {"s6-svscan", "s6-supervise", "s6-log", "master", "qmgr", "tcpserver"}
LISTENERS = {"classic": SHARED | {"couriertcpd", "authdaemond"}, "dovecot": SHARED | {"dovecot", "anvil", "log"}}


def processes(container: Container) -> set[str]:
    titles, rows = (container.top(ps_args="-o pid,comm")[key] for key in ("Titles", "Processes"))
    return {row[titles.index("COMMAND")] for row in rows}


@pytest.fixture(scope="module")
def idle(system: System) -> dict[str, Account]:
    """An account of each stack; mail has come and been read, and nothing follows."""
    made = {stack: system.create(f"idle-{stack}", "--stack", stack) for stack in LISTENERS}
    for account in made.values():
        system.wait_for(account, system.post(account.address))
    return made


def at_rest(container: Container, expected: set[str]) -> bool:
    return processes(container) == expected


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


@pytest.mark.usefixtures("idle")
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


def test_an_account_at_rest_keeps_only_what_listens(system: System, idle: dict[str, Account]) -> None:
    """All the rest ends by itself, soon after the next health check."""
    for stack, account in idle.items():
        container, expected = system.engine.account(account.name), LISTENERS[stack]
        until(partial(at_rest, container, expected), f"nothing but {sorted(expected)}", 120)
    for account in idle.values():
        system.wait_for(account, system.post(account.address))


def test_nobody_hears_of_the_ending_of_what_is_not_needed(system: System, idle: dict[str, Account]) -> None:
    for account in idle.values():
        log = system.engine.account(account.name).logs().decode()
        assert "killed by signal" not in log
        assert "rip=127." not in log
