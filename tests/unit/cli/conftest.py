import functools
import importlib
import pkgutil

import pytest
import typer
from tests.fakes.system import system

from mailpod import cli
from mailpod.cli import state, tending
from mailpod.cli.app import run
from mailpod.host.timetable import Timetable

__all__ = ["system"]


_get_command = functools.cache(typer.main.get_command)


class Answer:
    """What one command ended with."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def lines(self):
        return self.err.splitlines()


@pytest.fixture
def timetable(tmp_path, monkeypatch):
    """The machine's timetable, which is cron's."""
    table = Timetable(tmp_path / "units", tmp_path / "cron.d", tmp_path / "booted")
    table.cron.mkdir()
    monkeypatch.setattr("mailpod.host.timetable.which", lambda name: name == "cron")
    monkeypatch.setattr(tending, "Timetable", lambda: table)
    return table


@pytest.fixture
def mailpod(system, timetable, monkeypatch, capsys):
    """Run commands on a system whose engine is in memory."""
    monkeypatch.setattr(state, "options", state.Options())
    # Made of the same functions for every command: a process runs one, a test's many.
    monkeypatch.setattr(typer.main, "get_command", _get_command)
    for name in ("MAILPOD_STATE", "MAILPOD_INSTANCE", "MAILPOD_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def context(**_options):
        return system.process()

    for found in pkgutil.iter_modules(cli.__path__, "mailpod.cli."):
        module = importlib.import_module(found.name)
        if module is not state and hasattr(module, "context"):
            monkeypatch.setattr(module, "context", context)

    def call(*arguments):
        capsys.readouterr()
        return Answer(run(list(arguments)), *capsys.readouterr())

    return call
