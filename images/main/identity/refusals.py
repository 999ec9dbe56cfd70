"""What was refused to whom, for `mailpod status`: a file for each account, a line `EPOCH KIND DETAIL` for each time."""

import os
import time
from _thread import allocate_lock
from collections.abc import Callable

_LONGEST_DETAIL = 200
_KEPT = 100
_LARGEST = 2 * _KEPT * _LONGEST_DETAIL


class Refusals:
    """Writes down refusals in a folder, one of each kind a second: who floods main fills no disk."""

    def __init__(self, folder: str, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = allocate_lock()
        self._last: dict[tuple[str, str], int] = {}

    def add(self, name: str, kind: str, detail: str) -> None:
        """Write down that something was refused to the account `name`."""
        with self._lock:
            now = int(self._clock())
            if self._last.get((name, kind)) == now:
                return
            self._last[name, kind] = now
            path = f"{self._folder}/{name}"
            text = "".join(c if c.isprintable() else "?" for c in detail)
            with open(path, "ab") as file:
                file.write(f"{now} {kind} ".encode() + text.encode(errors="replace")[:_LONGEST_DETAIL] + b"\n")
                size = file.tell()
            if size > _LARGEST:
                self._trim(path)

    def _trim(self, path: str) -> None:
        with open(path, "rb") as file:
            kept = file.readlines()[-_KEPT:]
        with open(f"{path}.new", "wb") as file:
            file.writelines(kept)
        os.replace(f"{path}.new", path)
