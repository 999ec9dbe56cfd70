"""Mail that flows while something breaks, and the account of it afterwards."""

import imaplib
import itertools
import smtplib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

_PAUSE = 0.2


class Traffic:
    """Messages that a mail server of the outside's kind hands in, and which of them were acknowledged.

    Args:
        connections: how many are open at a time.
    """

    def __init__(self, system: System, recipients: list[str], messages: int = 120, connections: int = 1) -> None:
        self._system = system
        self._recipients = recipients
        self._messages = messages
        self.acknowledged: list[str] = []
        self._half = threading.Event()
        self._numbers: Iterator[int] = iter(range(messages))
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Run it around what the test breaks, which begins when half of the messages have been taken."""
        for thread in self._threads:
            thread.start()
        try:
            assert self._half.wait(60), f"only {len(self.acknowledged)} messages were taken"
            yield
        finally:
            for thread in self._threads:
                thread.join(120)
        assert len(self.acknowledged) >= self._messages

    @contextmanager
    def flowing_on(self) -> Iterator[None]:
        """Run it around what the test breaks, for as long as that takes and until one more message was taken."""
        self._numbers = itertools.takewhile(lambda _number: not self._ended.wait(_PAUSE), itertools.count())
        try:
            with self.flowing():
                yield
                self._ended.set()
        finally:
            self._ended.set()

    def _run(self) -> None:
        for number in self._numbers:
            until(partial(self._hand_in, number), "a mail server that listens", 120)
            if number >= self._messages // 2:
                self._half.set()

    def _hand_in(self, number: int) -> bool:
        # What was not acknowledged may have been taken all the same: it counts for nothing, and the next attempt
        # is another message.
        recipient = self._recipients[number % len(self._recipients)]
        attempt = token()
        try:
            with self._system.mx() as session:
                session.ehlo("mail.outside.test")  # as most servers are called, and main too
                session.send_message(compose("x@outside.test", recipient, attempt), to_addrs=[recipient])
                self.acknowledged.append(attempt)
        except (OSError, smtplib.SMTPException):
            return attempt in self.acknowledged
        return True


def arrived_once(system: System, accounts: list[Account], expected: list[str], seconds: float = 120) -> None:
    """Every word is on exactly one message in one of the mailboxes, within so many seconds."""

    def counts() -> Counter[str]:
        found: Counter[str] = Counter()
        for account in accounts:
            with system.mailbox(account) as mailbox:
                found.update(mailbox.words())
        return found

    def there() -> bool:
        with suppress(imaplib.IMAP4.error):
            return not set(expected) - set(counts())
        return False

    until(there, f"{len(expected)} messages", seconds, every=0.5)
    found = counts()
    assert not found[""], f"{found['']} messages without a subject: cut short on their way"
    again = {word: found[word] for word in expected if found[word] != 1}
    found_ways = [way for account in accounts for word in again for way in ways(system, account, word)]
    assert not again, f"{len(again)} of {len(expected)} messages arrived more than once: {again}, by {found_ways}"


def ways(system: System, account: Account, word: str) -> list[list[str]]:
    """The Received headers of each copy of a message in the inbox."""
    with system.mailbox(account) as mailbox:
        return [message.get_all("Received", []) for message in mailbox.anywhere(word)]
