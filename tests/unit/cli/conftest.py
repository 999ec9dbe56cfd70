import pytest
from tests.fakes.system import system

from mailpod.cli import state
from mailpod.cli.app import run

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
def mailpod(system, monkeypatch, capsys):
    """Run commands on a system whose engine is in memory."""
    monkeypatch.setattr(state, "options", state.Options())
    for name in ("MAILPOD_STATE", "MAILPOD_INSTANCE", "MAILPOD_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def context(**_options):
        return system.process()

    for module in ("account", "alias", "app_password", "dkim", "dns", "engine", "moving", "node", "system"):
        monkeypatch.setattr(f"mailpod.cli.{module}.context", context)

    def call(*arguments):
        capsys.readouterr()
        return Answer(run(list(arguments)), *capsys.readouterr())

    return call
