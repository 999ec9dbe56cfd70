import pytest

from mailpod.host import memory
from mailpod.model.errors import MailpodError
from mailpod.model.layout import container_beside_main
from mailpod.services import installation
from mailpod.services.status import status


@pytest.fixture
def available(monkeypatch):
    """How much memory the machine has left."""

    def has(gigabytes):
        monkeypatch.setattr(memory, "available", lambda: gigabytes << 30)

    has(4)
    return has


def scanner(system):
    return system.world.containers.get(container_beside_main(system.instance, "antivirus"))


def test_nothing_looks_for_viruses_at_first(system):
    system.up()
    assert scanner(system) is None
    assert status(system.process()).beside == []


@pytest.mark.usefixtures("available")
def test_it_comes_and_goes_as_is_asked(system):
    system.up("alice")
    installation.up(system.process(), system.planned(antivirus="clamav"))
    assert scanner(system).state == "running"
    # What is not said stays as it was.
    installation.up(system.process(), system.planned())
    [found] = status(system.process()).beside
    assert (found.name, found.observed) == ("antivirus", "running")
    installation.up(system.process(), system.planned(antivirus="none"))
    assert scanner(system) is None
    system.check_converged()


def test_it_is_not_begun_where_it_has_no_room(system, available):
    system.up()
    before = system.state()
    available(1)
    with pytest.raises(MailpodError, match="ClamAV needs 2 GB"):
        installation.up(system.process(), system.planned(antivirus="clamav"))
    assert system.state() == before


def test_where_it_runs_its_room_is_taken_already(system, available):
    system.up()
    installation.up(system.process(), system.planned(antivirus="clamav"))
    available(1)
    installation.up(system.process(), system.planned())
    assert scanner(system).state == "running"


@pytest.mark.usefixtures("available")
def test_status_tells_that_it_is_down(system):
    system.up()
    installation.up(system.process(), system.planned(antivirus="clamav"))
    del system.world.containers[container_beside_main(system.instance, "antivirus")]
    [found] = status(system.process()).beside
    assert found.observed == "missing"
