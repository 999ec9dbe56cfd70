import json

import pytest


def test_where_to_has_to_be_said_once(mailpod, system, tmp_path):
    system.up("alice")
    file = str(tmp_path / "alice.tar")
    for options in (
        (),
        ("--keep",),
        ("--node", "node2", "--keep"),
        ("--node", "node2", "--to-file", file),
        ("--to-file", file, "--from-file", file),
    ):
        assert mailpod("account", "move", "alice", *options).code == 2


def test_a_move_tells_of_the_account(mailpod, system):
    system.up_on_swarm("alice")
    moved = mailpod("account", "move", "alice", "--node", "node2", "--json")
    assert (moved.code, json.loads(moved.out)["node"]) == (0, "node2")
    assert "it was away for" in "\n".join(system.said)


@pytest.mark.parametrize(("node", "code"), [("moon", 2), ("node1", 4)])
def test_a_machine_that_cannot_be(mailpod, system, node, code):
    system.up_on_swarm("alice")
    assert mailpod("account", "move", "alice", "--node", node).code == code


def test_to_a_file_and_back(mailpod, system, tmp_path):
    system.up("alice")
    file = str(tmp_path / "alice.tar")
    gone = mailpod("account", "move", "alice", "--to-file", file)
    assert gone.lines[-1] == "it is deleted here; bring it back with: mailpod account undelete alice"
    assert json.loads(mailpod("account", "move", "alice", "--from-file", file, "--json").out)["name"] == "alice"


def test_drain_and_undrain(mailpod, system):
    system.up_on_swarm("alice")
    assert mailpod("account", "move", "alice", "--node", "node2").code == 0
    assert mailpod("node", "drain", "node2").code == 0
    assert mailpod("account", "move", "alice", "--node", "node2").code == 1
    assert mailpod("node", "undrain", "node2").code == 0
    assert mailpod("node", "remove", "node2").code == 0
    assert mailpod("node", "drain", "node2").code == 3
