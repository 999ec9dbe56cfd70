"""Who sends while things break: the outside to accounts, accounts to the outside and to each other."""

import random
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.ledger.book import OUTSIDE, Entry, Ledger

REPORTS_TO = "ledger@outside.test"
ALIAS = "everybody"
"""An address that leads to all accounts but the last."""
_PAUSE = 0.25


class Senders:
    """Four that send without an end until they are told to stop.

    What is not acknowledged counts for nothing, whether or not it was taken; the next attempt is another message.

    Args:
        seed: of the choices they make.
    """

    def __init__(self, system: System, accounts: list[Account], ledger: Ledger, seed: int) -> None:
        self._system = system
        self._accounts = accounts
        self._ledger = ledger
        self._stop = threading.Event()
        ways = (self._from_outside, self._from_outside, self._to_outside, self._among_accounts)
        self._threads = [
            threading.Thread(target=self._run, args=(way, random.Random(seed + number)))
            for number, way in enumerate(ways)
        ]

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Have them send meanwhile."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(120)

    def _run(self, way: Callable[[random.Random], None], chance: random.Random) -> None:
        while not self._stop.wait(_PAUSE):
            try:
                way(chance)
            except (OSError, smtplib.SMTPException):
                # Nobody was told that it has been taken.
                continue

    def _from_outside(self, chance: random.Random) -> None:
        account = chance.choice(self._accounts)
        tagged = account.address.replace("@", "+tag@", 1)
        all_of_them = f"{ALIAS}@{self._system.domain}"
        to = chance.choice([account.address, account.short_address, tagged, all_of_them])
        names = [one.name for one in self._accounts[:-1]] if to == all_of_them else [account.name]
        word = token()
        with self._system.mx() as session:
            message = compose(REPORTS_TO, to, word, body=_text(chance, word))
            session.send_message(message, from_addr=REPORTS_TO, to_addrs=[to])
            self._ledger.enter(Entry(word, frozenset(names), OUTSIDE))

    def _to_outside(self, chance: random.Random) -> None:
        self._submit(chance, chance.choice(self._accounts), REPORTS_TO, OUTSIDE)

    def _among_accounts(self, chance: random.Random) -> None:
        writer, reader = chance.sample(self._accounts, 2)
        self._submit(chance, writer, reader.short_address, reader.name)

    def _submit(self, chance: random.Random, writer: Account, to: str, place: str) -> None:
        word = token()
        with self._system.submission(writer) as session:
            message = compose(writer.short_address, to, word, body=_text(chance, word))
            session.send_message(message, to_addrs=[to])
            self._ledger.enter(Entry(word, frozenset([place]), writer.name))


def _text(chance: random.Random, word: str) -> str:
    """Most of them short, some more than a pipe holds (pipe(7)); the word is the end."""
    return f"{'x' * 70}\n" * chance.choice([1, 1, 1, 1, 1, 1, 1, 100, 1000, 4000]) + f"{word}\n"
