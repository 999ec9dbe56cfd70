"""`mailpod engine migrate` and what `up` is told of a Swarm."""

import pytest


@pytest.mark.parametrize("there", ["swarm", "docker"])
def test_a_system_is_brought_to_another_engine_and_is_there_then(system, mailpod, there):
    system.up("alice")
    if there == "docker":
        assert mailpod("engine", "migrate", "swarm").code == 0
    answer = mailpod("engine", "migrate", there)
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)
    assert system.store.system().engine == there
    again = mailpod("engine", "migrate", there)
    assert (again.code, len(again.lines)) == (4, 2)


def test_without_a_system_there_is_nothing_to_bring(mailpod):
    assert mailpod("engine", "migrate", "swarm").code == 3


def test_an_engine_that_is_none_is_refused(mailpod):
    assert mailpod("engine", "migrate", "kubernetes").code == 2


@pytest.mark.parametrize(
    "words", [("engine", "migrate", "docker"), ("up", "example.org"), ("up", "example.org", "--engine", "docker")]
)
def test_an_address_for_other_machines_is_for_a_swarm(system, mailpod, words):
    answer = mailpod(*words, "--advertise-addr", "192.0.2.1")
    assert (answer.code, answer.lines[0]) == (2, "mailpod: --advertise-addr is for a Swarm")
    assert not system.folder.exists()


def test_up_makes_a_swarm(system, mailpod):
    system.engine = "swarm"
    answer = mailpod("up", "example.org", "--engine", "swarm", "--advertise-addr", "192.0.2.1")
    assert (answer.code, system.world.swarm) == (0, "manager")
