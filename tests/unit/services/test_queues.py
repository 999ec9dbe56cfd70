import json

import pytest

from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.services import freezing, queues


def entry(queue_id, *recipients, queue="deferred"):
    return {
        "queue_name": queue,
        "queue_id": queue_id,
        "arrival_time": 1795861842,
        "message_size": 400,
        "sender": "x@y.example",
        "recipients": [{"address": to, "delay_reason": "connection refused"} for to in recipients],
    }


def queue(*entries):
    return "".join(f"{json.dumps(one)}\n" for one in entries).encode()


@pytest.fixture
def context(system):
    """main has one message that was put off and one on hold, alice one."""
    made = system.up("alice", "bob").process()
    made.channel.queue = queue(entry("M1", "box@alice.example.org"), entry("M2", "box@bob.example.org", queue="hold"))
    made.channel.queues["alice"] = queue(entry("A1", "erin@outside.test"))
    return made


def test_all_that_waits_is_named_by_where_it_does(context):
    found, silent = queues.listed(context)
    assert [(one.name, one.queue, one.reason) for one in found] == [
        ("main:M1", "deferred", "connection refused"),
        ("main:M2", "hold", "on hold"),
        ("alice:A1", "deferred", "connection refused"),
    ]
    assert found[0].since.isoformat() == "2026-11-28T10:30:42+00:00"
    assert not silent


def test_an_account_that_does_not_answer_is_told_of(context, system):
    system.world.containers["mailpod-alice"].health = "unhealthy"
    found, silent = queues.listed(context)
    assert ([one.name for one in found], silent) == (["main:M1", "main:M2"], ["alice"])


def test_without_main_nothing_is_known(context, system):
    system.world.containers["mailpod-main"].state = "exited"
    with pytest.raises(MailpodError, match="main does not answer"):
        queues.listed(context)


def test_one_is_looked_into_without_what_is_written_in_it(context):
    context.channel.answers = {"headers M1": b"1795862000\nSubject: x\n", "body M1": b"Hello.\n"}
    found = queues.detail(context, "main:M1", body=False)
    assert (found.headers, found.body) == ("Subject: x\n", None)
    assert found.next_try
    assert found.next_try.isoformat() == "2026-11-28T10:33:20+00:00"
    assert queues.detail(context, "main:M1", body=True).body == "Hello.\n"


def test_what_is_not_put_off_has_no_next_time(context):
    context.channel.answers = {"headers M2": b"\nSubject: x\n"}
    assert queues.detail(context, "main:M2", body=False).next_try is None


def test_only_what_was_put_off_is_tried_again(context):
    assert [one.name for one in queues.retry(context, [])] == ["main:M1", "alice:A1"]
    assert context.channel.asked == [("main", "retry M1"), ("alice", "retry A1")]


def test_a_frozen_accounts_mail_is_not_tried(context):
    freezing.freeze(context, "bob")
    context.channel.asked.clear()
    with pytest.raises(InvalidInput, match="on hold"):
        queues.retry(context, ["main:M1", "main:M2"])
    assert not context.channel.asked


def test_what_a_restored_account_has_on_hold_goes_when_it_is_named(context):
    context.channel.queues["alice"] = context.channel.queues["alice"].replace(b'"deferred"', b'"hold"')
    assert [one.name for one in queues.retry(context, [])] == ["main:M1"]
    context.channel.asked.clear()
    queues.retry(context, ["alice:A1"])
    assert context.channel.asked == [("alice", "release A1")]


def test_messages_are_dropped_or_returned_where_they_wait(context):
    chosen = queues.named(context, ["main:M1", "alice:A1", "main:M2", "main:M1"])
    queues.drop(context, chosen, bounce=False)
    queues.drop(context, chosen[:1], bounce=True)
    assert context.channel.asked == [("main", "drop M1 M2"), ("alice", "drop A1"), ("main", "return M1")]


@pytest.mark.parametrize("name", ["main:M9", "alice:M1", "carol:M1"])
def test_what_does_not_wait_is_refused_before_anything_is_done(context, name):
    with pytest.raises(NotFound):
        queues.named(context, ["main:M1", name])


@pytest.mark.parametrize("name", ["M1", "main:", "main:M1 M2", "main:*", "main:é", ":M1"])
def test_what_is_no_name_is_refused(context, name):
    with pytest.raises((InvalidInput, NotFound)):
        queues.named(context, [name])
    assert not context.channel.asked


@pytest.mark.parametrize(
    "said", [b"no JSON\n", b"[]\n", b"{}\n", b"\xff\n", queue(entry("A1", "x@y.test")).replace(b"17", b"9" * 400)]
)
def test_an_account_that_says_anything_else_is_silent(context, said):
    context.channel.queues["alice"] = said
    found, silent = queues.listed(context)
    assert [one.element for one in found] == ["main", "main"]
    assert silent == ["alice"]
