import json
from datetime import UTC, datetime, timedelta

from mailpod.model.doctor.queues import of_queue

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(hours=4)


def entry(hours, reason="", queue="deferred", to="x@outside.test"):
    recipient = {"address": to} | ({"delay_reason": reason} if reason else {})
    arrived = int((NOW - timedelta(hours=hours)).timestamp())
    return json.dumps({"queue_name": queue, "arrival_time": arrived, "recipients": [recipient]})


def found(*entries, frozen=()):
    return [one.what for one in of_queue("main", "\n".join(entries).encode(), NOW, PATIENCE, frozen)]


def test_what_waits_for_long_is_told_by_reason():
    assert found(entry(5, "refused"), entry(30, "refused"), entry(6, "timed out"), entry(3, "refused")) == [
        "2 messages wait in main, the oldest for 30 h: refused",
        "1 messages wait in main, the oldest for 6 h: timed out",
    ]


def test_what_is_on_hold_for_a_frozen_account_is_as_it_should_be():
    frozen = ("alice.example.org",)
    assert not found(entry(99, queue="hold", to="box@alice.example.org"), frozen=frozen)
    assert found(entry(99, queue="hold", to="box@bob.example.org"), frozen=frozen)


def test_a_reason_without_an_end_is_cut():
    (told,) = found(entry(5, "x" * 1000))
    assert len(told) < 250


def test_an_empty_queue():
    assert not found("")
