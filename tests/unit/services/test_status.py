import json
from datetime import UTC, datetime

import pytest
from tests.fakes.steps import Steps

from mailpod.model.errors import EngineUnreachable, MailpodError, NotFound
from mailpod.services import installation
from mailpod.services.queues import Message
from mailpod.services.status import status

EPOCH = datetime.fromtimestamp(1, UTC)


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
    assert found.queue[1] == Message(
        "main", "B", "x@y.example", ("box@alice.example.org",) * 2, "connection refused", 400, "deferred", EPOCH
    )


def test_what_waits_in_an_account_itself_is_told(system):
    """Main refuses it for now."""
    system.up("alice", "bob")
    context = system.process()
    context.channel.queue = waiting(entry("A", "box@alice.example.org"))
    context.channel.queues["alice"] = waiting(entry("B", "erin@outside.test", reason="connection refused"))
    found = status(context)
    assert (found.main.waiting, [one.waiting for one in found.accounts]) == (1, [2, 0])
    assert found.queue[1] == Message(
        "alice", "B", "x@y.example", ("erin@outside.test",), "connection refused", 400, "deferred", EPOCH
    )


def test_what_waits_in_an_account_is_told_although_main_does_not_say(system):
    system.up("alice", "bob")
    context = system.process()
    context.channel.queues["alice"] = waiting(entry("B", "erin@outside.test"))

    def down(_verb):
        raise MailpodError("main: the mail system is down")

    context.channel.main = down
    found = status(context)
    assert (found.main.waiting, [one.waiting for one in found.accounts]) == (None, [1, None])
    assert [message.queue_id for message in found.queue] == ["B"]


def test_an_account_that_does_not_say_what_waits_in_it_keeps_no_other_from_saying_so(system):
    system.up("alice", "bob")
    context = system.process()
    context.channel.queues["bob"] = waiting(entry("B", "erin@outside.test"))
    name = f"mailpod-alice-{system.store.account('alice').id}"
    system.world.volumes[name].files.clear()
    assert [one.waiting for one in status(context).accounts] == [None, 1]


@pytest.mark.parametrize(("state", "health"), [("exited", ""), ("restarting", ""), ("running", "unhealthy")])
def test_an_account_that_is_known_to_be_down_is_not_asked(system, state, health):
    system.up("alice")
    container = system.world.containers["mailpod-alice"]
    container.state, container.health = state, health
    steps = Steps()
    context = system.process(steps)
    context.channel.queue = waiting(entry("A", "box@alice.example.org"))
    assert status(context).accounts[0].waiting == 1
    assert "channel alice queue" not in steps.taken


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
