import pytest
from tests.fakes.system import FakeSystem, system

from mailpod.services import backing_up

__all__ = ["backed_up", "system"]


@pytest.fixture
def backed_up(system, tmp_path) -> FakeSystem:
    """A system with two accounts, whose backups go to a folder."""
    system.up("alice", "bob")
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    return system
