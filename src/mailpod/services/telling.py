"""Telling how far something has come that takes its time."""

import time
from collections.abc import Callable, Iterable, Iterator

from mailpod.model.records import MIB

_EVERY = 5.0


class Teller:
    """Tells every few seconds how much has been done.

    Args:
        progress: told a line at a time.
        what: the word for what is being done, such as `copied`.
        needed: bytes that it will be in all.
    """

    def __init__(self, progress: Callable[[str], None], what: str, needed: int) -> None:
        self._progress = progress
        self._what = what
        self._needed = needed
        self._last = time.monotonic()

    def __call__(self, count: int) -> None:
        """Take note that so many bytes are done."""
        if time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            self._progress(f"{self._what} {count // MIB} MiB of {self._needed // MIB}")

    def pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Take note of everything that passes here."""
        count = 0
        for piece in pieces:
            yield piece
            count += len(piece)
            self(count)
