import pytest
from tests.fakes.steps import Steps

from mailpod.model import layout
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.services import prefixes

PREFIX = "2001:db8:1::/64"


@pytest.fixture
def swarm(system):
    """A system whose main is on the first of three machines."""
    system.up_on_swarm("alice")
    return system


def test_main_is_made_anew_for_its_own_machines_prefix_alone(swarm):
    for node, anew in (("node2", False), ("node1", True)):
        steps = Steps()
        prefixes.set_prefix(swarm.process(steps), node, PREFIX.replace("1::", f"{node[-1]}::"))
        assert ("engine deploy_main" in steps.taken) is anew
    assert layout.main_ipv6(swarm.store.system()) == "2001:db8:1::ffff:ffff"
    swarm.check_converged()


def test_a_prefix_with_which_main_does_not_start_is_taken_back(swarm):
    steps = Steps()
    steps.break_once("engine deploy_main", MailpodError("refused"))
    with pytest.raises(MailpodError, match="refused"):
        prefixes.set_prefix(swarm.process(steps), "node1", PREFIX)
    assert swarm.store.system().prefixes == {}
    swarm.check_converged()


def test_what_is_no_prefix_of_its_own_is_refused(swarm):
    prefixes.set_prefix(swarm.process(), "node2", PREFIX)
    with pytest.raises(InvalidInput, match="overlaps"):
        prefixes.set_prefix(swarm.process(), "node3", PREFIX)
    with pytest.raises(NotFound):
        prefixes.set_prefix(swarm.process(), "moon", "2001:db8:2::/64")
