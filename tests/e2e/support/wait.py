"""Waiting for a fact instead of for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(fact: Callable[[], T | None], what: str, seconds: float = 20, every: float = 0.05) -> T:
    """Ask `fact` until it gives something true, and return that.

    An `OSError` counts as "not yet": a server that is being started refuses connections.

    Raises:
        AssertionError: the deadline passed; the message says `what` was awaited and the last error.
    """
    deadline = time.monotonic() + seconds
    last: OSError | None = None
    while True:
        try:
            found = fact()
        except OSError as error:
            found, last = None, error
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still waiting for {what}" + (f" ({last})" if last else ""))
        time.sleep(every)
