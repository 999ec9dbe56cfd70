"""Making what is to be taken back when the step after it fails or is interrupted."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from mailpod.model.errors import MailpodError


def made(undo: contextlib.ExitStack, make: Callable[[], Any], take_back: Callable[[], object]) -> Any:  # noqa: ANN401
    """Make something, and have `undo` take it back; what cannot be taken back does not hide why it was to be.

    An interrupt waits for the engine's answer: the engine would go on, and make it when all else has been taken back.

    Returns:
        What `make` returns.
    """
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        undo.callback(_take_back, making, take_back)
        # An interrupt comes here; the end of the block waits once more.
        wait([making])
    return making.result()


def _take_back(making: "Future[Any]", take_back: Callable[[], object]) -> None:
    # Not yet done: interrupted again meanwhile.
    if making.done() and making.exception() is None:
        with contextlib.suppress(MailpodError):
            take_back()
