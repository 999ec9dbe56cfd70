import json

import pytest

from mailpod.model.errors import EngineUnreachable, NotFound
from mailpod.services import installation
from mailpod.services.status import Message, status


def waiting(*entries):
    return "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()


def entry(queue_id, *recipients, reason=""):
    return {
        "queue_name": "deferred",
        "queue_id": queue_id,
        "arrival_time": 1,
        "message_size": 400,
        "forced_expire": False,
        "sender": "x@y.example",
        "recipients": [{"address": to} | ({"delay_reason": reason} if reason else {}) for to in recipients],
    }


def test_everything_runs_and_some_waits(system):
    system.up("alice", "bob")
    context = system.process()
    context.channel.queue = waiting(
        entry("A", "box@alice.example.org", "other@z.example"),
        entry("B", "box@alice.example.org", "box@alice.example.org", reason="connection refused"),
        entry("C", "x@notalice.example.org"),
    )
    found = status(context)
    assert (found.main.observed, found.main.desired, found.main.waiting) == ("running", "running", 3)
    alice, bob = found.accounts
    assert (alice.name, alice.observed, alice.waiting, bob.waiting) == ("alice", "running", 2, 0)
    assert alice.memory == 4096
    assert alice.ipv4
    assert found.queue[1] == Message("B", "x@y.example", ("box@alice.example.org",) * 2, "connection refused", 400)


def test_what_is_down_is_told(system):
    system.up("alice", "bob", "carol")
    system.world.containers["mailpod-alice"].state = "exited"
    system.world.containers["mailpod-bob"].health = "unhealthy"
    del system.world.containers["mailpod-carol"]
    found = status(system.process())
    assert [(e.observed, e.health) for e in found.accounts] == [
        ("stopped", ""),
        ("running", "unhealthy"),
        ("missing", ""),
    ]
    assert found.accounts[0].memory == found.accounts[2].memory == 0


def test_without_main_nobody_knows_what_waits(system):
    system.up("alice")
    del system.world.containers["mailpod-main"]
    found = status(system.process())
    assert found.queue is None
    assert (found.main.observed, found.main.waiting, found.accounts[0].waiting) == ("missing", None, None)


def test_after_down_stopped_is_what_was_asked_for(system):
    system.up("alice")
    installation.down(system.process(), purge=False)
    found = status(system.process())
    assert {e.desired for e in (found.main, *found.accounts)} == {"stopped"}


def test_status_of_nothing(system):
    with pytest.raises(NotFound):
        status(system.process())
    system.up()
    system.world.reachable = False
    with pytest.raises(EngineUnreachable):
        status(system.process())
