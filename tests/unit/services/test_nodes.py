"""Machines of a Swarm: which one an account goes to, and what one needs that joins."""

import subprocess

import pytest

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.services import nodes


@pytest.fixture
def swarm(system):
    """Three machines with the same memory, one of which has an account."""
    system.up_on_swarm("first")
    return system


def placed(system, **memory):
    """Accounts with these limits, one on each machine named."""
    [first] = system.store.accounts()
    return [first.model_copy(update={"node": node, "memory": size << 20}) for node, size in memory.items()]


def test_an_account_goes_where_most_memory_is_not_given_away(swarm):
    assert nodes.choose(swarm.process(), placed(swarm, node1=128, node2=64, node3=256)) == "node2"
    assert nodes.choose(swarm.process(), placed(swarm, node1=128, node2=64)) == "node3"


def test_of_equal_machines_it_is_the_one_with_the_fewest_accounts(swarm):
    there = [*placed(swarm, node1=128, node2=256, node3=512), *placed(swarm, node1=128)]
    assert nodes.choose(swarm.process(), there) == "node2"
    with pytest.raises(InvalidInput, match="no machine 'node9'"):
        nodes.choose(swarm.process(), there, "node9")


def test_what_a_machine_needs_is_printed_as_commands(swarm):
    lines = nodes.by_hand(swarm.process()).splitlines()
    assert "docker swarm join --token SWMTKN-1-secret 192.0.2.1:2377" in lines
    [key] = [line for line in lines if "authorized_keys" in line]
    public = nodes.key_file(swarm.store).with_suffix(".pub").read_text().strip()
    # It opens a way to the engine, and runs nothing.
    assert key.startswith('echo \'restrict,port-forwarding,command="false" ')
    assert public in key
    assert lines[-1] == "mailpod node add USER@ADDRESS"


def test_a_machine_that_never_answers_is_told_in_two_lines(swarm, monkeypatch):
    def silent(*words, timeout, **more):
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(nodes.subprocess, "run", silent)
    with pytest.raises(MailpodError, match=r"root@192.0.2.7 did not answer within 120 s") as caught:
        nodes.add(swarm.process(), "root@192.0.2.7", 22, None)
    assert "2377" in caught.value.hint
