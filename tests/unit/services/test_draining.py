import pytest
from tests.fakes.steps import Steps

from mailpod.model.errors import EngineUnreachable, MailpodError, NotFound
from mailpod.services import accounts, draining, freezing, installation, nodes


@pytest.fixture
def swarm(system):
    """Accounts on the second of three machines: one is frozen, one deleted and kept."""
    system.up_on_swarm("first")
    for name in ("alice", "bob", "cold", "gone"):
        accounts.create(system.process(), name, "correct horse", node="node2")
    freezing.freeze(system.process(), "cold")
    accounts.delete(system.process(), "gone", purge=False)
    return system


def on(system, node):
    return [one.name for one in (*system.store.accounts(), *system.store.deleted()) if one.node == node]


def states(system):
    return {view.machine.name: view.machine.state for view in nodes.views(system.process())}


def test_a_drained_machine_is_empty_and_takes_no_accounts(swarm):
    assert not draining.drain(swarm.process(), "node2")
    assert on(swarm, "node2") == []
    assert not [key for key in swarm.world.volumes if key.endswith("@node2")]
    swarm.check_converged()
    assert states(swarm)["node2"] == "drained"
    with pytest.raises(MailpodError, match="node2 takes no accounts now"):
        accounts.create(swarm.process(), "dora", "correct horse", node="node2")
    assert {view.account.name: view.status for view in accounts.views(swarm.process())} == {
        "alice": "running",
        "bob": "running",
        "cold": "frozen",
        "first": "running",
    }


def test_what_was_frozen_or_deleted_goes_on_elsewhere(swarm):
    draining.drain(swarm.process(), "node2")
    freezing.thaw(swarm.process(), "cold")
    accounts.undelete(swarm.process(), "gone")
    swarm.check_converged()


def test_main_stays_where_it_is(swarm, monkeypatch):
    monkeypatch.setattr(draining, "main_node", lambda _context: "node1")
    assert draining.drain(swarm.process(), "node1")
    assert on(swarm, "node1") == []
    assert swarm.world.nodes["node1"] == "ready"
    assert states(swarm)["node1"] == "drained"
    installation.apply(swarm.process())


def test_one_that_cannot_be_moved_does_not_keep_the_others(swarm):
    steps = Steps()
    steps.break_once("engine half", EngineUnreachable("gone", "come back"))
    with pytest.raises(MailpodError, match="1 accounts are still on node2: gone"):
        draining.drain(swarm.process(steps), "node2")
    assert on(swarm, "node2") == ["alice"]
    assert swarm.world.nodes["node2"] == "ready"
    draining.drain(swarm.process(), "node2")
    assert on(swarm, "node2") == []


def test_undrain_lets_it_take_accounts_again(swarm):
    draining.drain(swarm.process(), "node2")
    draining.undrain(swarm.process(), "node2")
    assert accounts.create(swarm.process(), "dora", "correct horse", node="node2").account.node == "node2"


def test_with_nowhere_to_go_they_stay(swarm):
    draining.drain(swarm.process(), "node3")
    swarm.world.say("node1", "drained")
    with pytest.raises(MailpodError, match="no machine takes accounts now"):
        draining.drain(swarm.process(), "node2")
    assert on(swarm, "node2") == ["alice", "bob", "cold", "gone"]


def test_an_empty_machine_is_given_up(swarm):
    draining.drain(swarm.process(), "node2")
    assert draining.remove(swarm.process(), "node2") == "root@192.0.2.2"
    assert set(states(swarm)) == {"node1", "node3"}
    assert swarm.store.find_node("node2") is None
    assert swarm.store.system().drained == ()


def test_one_with_accounts_or_main_is_not_given_up(swarm):
    with pytest.raises(MailpodError, match="node2 has alice, bob, cold, gone"):
        draining.remove(swarm.process(), "node2")
    with pytest.raises(MailpodError, match="main is on"):
        draining.remove(swarm.process(), "node1")
    with pytest.raises(NotFound):
        draining.remove(swarm.process(), "moon")
    with pytest.raises(NotFound):
        draining.drain(swarm.process(), "moon")
