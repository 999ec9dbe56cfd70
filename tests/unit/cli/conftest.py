import pytest
from tests.fakes.system import system

from mailpod.cli import state, tending
from mailpod.cli.app import run
from mailpod.host.timetable import Timetable

__all__ = ["system"]


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
    for name in ("MAILPOD_STATE", "MAILPOD_INSTANCE", "MAILPOD_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def context(**_options):
        return system.process()

    modules = "account alias app_password certificate dkim dns engine moving node system tending upgrade"
    for module in modules.split():
        monkeypatch.setattr(f"mailpod.cli.{module}.context", context)

    def call(*arguments):
        capsys.readouterr()
        return Answer(run(list(arguments)), *capsys.readouterr())

    return call
