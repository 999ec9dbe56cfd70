"""Making what is to be taken back when the step after it fails or is interrupted."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from mailpod.model.errors import MailpodError


def made(undo: contextlib.ExitStack, make: Callable[[], Any], take_back: Callable[[], object]) -> Any:  # noqa: ANN401
    """Make something, and have `undo` take it back; what cannot be taken back does not hide why it was to be.

    An interrupt waits for the engine's answer: the engine would go on, and make it when all else has been taken back.

    Returns:
        What `make` returns.
    """
    there: list[Any] = []
    undo.callback(_take_back, there, take_back)
    with ThreadPoolExecutor(1) as pool:
        # The pool waits for a thread that it knows to be there, whenever the interrupt comes.
        pool.submit(int).result()
        making = pool.submit(lambda: there.append(make()))
        # An interrupt comes here; the end of the block waits once more.
        wait([making])
    making.result()
    return there[0]


def _take_back(there: list[Any], take_back: Callable[[], object]) -> None:
    # Empty when it was refused, or not yet made as a second interrupt came.
    if there:
        with contextlib.suppress(MailpodError):
            take_back()
