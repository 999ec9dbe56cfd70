"""Waiting for a fact, with a deadline."""

import time
from collections.abc import Callable

from mailpod.model.errors import MailpodError


def until(fact: Callable[[], bool], seconds: float, what: str, hint: str, interval: float = 0.05) -> None:
    """Ask for `fact` every `interval` seconds until it holds.

    Raises:
        MailpodError: with `what` and `hint`, when it did not hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise MailpodError(f"{what} within {seconds:.0f} s", hint)
        time.sleep(interval)
