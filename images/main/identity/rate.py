"""How many messages each account has sent to the outside within the last hour."""

import os
import time
from _thread import allocate_lock
from collections.abc import Callable

_HOUR = 60
_SAVE_AFTER = 5.0


class Rate:
    """Counts by account and minute, in a file that outlives the process.

    Args:
        path: of that file. What a process that is killed has counted within its last seconds is not in it.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = allocate_lock()
        self._saved = 0.0
        self._sent: dict[str, dict[int, int]] = {}
        try:
            with open(path, encoding="ascii") as file:
                for line in file:
                    name, minute, count = line.split()
                    self._sent.setdefault(name, {})[int(minute)] = int(count)
        except FileNotFoundError:
            pass

    def take(self, name: str, most: int) -> bool:
        """Count one more message of an account, unless there have been `most` within the hour."""
        with self._lock:
            now = self._clock()
            minute = int(now // 60)
            sent = self._sent.setdefault(name, {})
            for old in [one for one in sent if one < minute - _HOUR]:
                del sent[old]
            if sum(sent.values()) >= most:
                return False
            sent[minute] = sent.get(minute, 0) + 1
            if now - self._saved >= _SAVE_AFTER:
                self._save(now)
            return True

    def save(self) -> None:
        """Write the file."""
        with self._lock:
            self._save(self._clock())

    def _save(self, now: float) -> None:
        temporary = f"{self._path}.new"
        with open(temporary, "w", encoding="ascii") as file:
            for name, sent in self._sent.items():
                file.writelines(f"{name} {minute} {count}\n" for minute, count in sent.items())
        os.replace(temporary, self._path)
        self._saved = now
