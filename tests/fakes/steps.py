"""The steps of a process under test, and its failure or death at one of them."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest


class Killed(BaseException):
    """The process was killed: this step and every later one have no effect."""


class Steps:
    """Counts steps that leave a trace outside the process; one of them may fail, or be the last.

    Attributes:
        taken: what was done, in order.
        dead: from the step at which the process is killed on, nothing it does has an effect.
    """

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.dead = False
        self._die_at = 0
        self._fail_at: dict[int, Exception] = {}
        self._broken: tuple[str, Exception] | None = None
        self._broken_once: tuple[str, Exception] | None = None

    def die_at(self, number: int) -> None:
        """Be killed just before step `number`, counted from 1."""
        self._die_at = number

    def fail_at(self, number: int, error: Exception) -> None:
        """Let step `number` fail once with `error`."""
        self._fail_at[number] = error

    def break_down(self, prefix: str, error: Exception) -> None:
        """Let every step from now on whose name begins with `prefix` fail."""
        self._broken = (prefix, error)

    def break_once(self, prefix: str, error: Exception) -> None:
        """Let the next step whose name begins with `prefix` fail."""
        self._broken_once = (prefix, error)

    def __call__(self, what: str) -> None:
        """Take a step; called just before it has its effect."""
        if self.dead:
            raise Killed(what)
        self.taken.append(what)
        if len(self.taken) == self._die_at:
            self.dead = True
            raise Killed(what)
        error = self._fail_at.pop(len(self.taken), None)
        if error:
            raise error
        if self._broken and what.startswith(self._broken[0]):
            raise self._broken[1]
        if self._broken_once and what.startswith(self._broken_once[0]):
            error, self._broken_once = self._broken_once[1], None
            raise error


def full_disk() -> OSError:
    """What a write on a full disk raises."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def count_writes(monkeypatch: pytest.MonkeyPatch, folder: Path, step: Callable[[str], None]) -> None:
    """Make a step of every system call that changes something in `folder`."""

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(path: object, *args: object, **kwargs: object) -> object:
            ours = isinstance(path, str | os.PathLike) and folder in Path(path).parents
            reads = name == "open" and not args[0] & os.O_CREAT
            if ours and not reads:
                step(f"{name} {Path(path).relative_to(folder)}")
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "replace", "unlink"):
        counted(name)
