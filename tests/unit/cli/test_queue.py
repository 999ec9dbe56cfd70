import json

import pytest
from tests.fakes.channel import FakeChannel

ENTRY = {
    "queue_name": "deferred",
    "queue_id": "M1",
    "arrival_time": 1795861842,
    "message_size": 400,
    "sender": "x@y.example",
    "recipients": [{"address": "box@alice.example.org", "delay_reason": "connection\x1b refused"}],
}


@pytest.fixture
def asked(system, monkeypatch):
    """What main was asked about its one message."""
    system.up("alice")
    asked = []
    answers = {
        "queue": json.dumps(ENTRY).encode(),
        "headers M1": b"1795862000\nSubject: \x1b[31m\n",
        "body M1": b"Hi\n",
    }

    def main(_channel, verb, files=()):
        asked.append(verb)
        return answers.get(verb, b"")

    monkeypatch.setattr(FakeChannel, "main", main)
    return asked


def test_what_waits_is_listed(mailpod, asked):
    shown = mailpod("queue", "list")
    assert shown.out.split("\t")[0] == "main:M1"
    assert "connection? refused" in shown.out
    (document,) = json.loads(mailpod("queue", "list", "--json").out)
    assert (document["id"], document["queue"], document["since"]) == (
        "main:M1",
        "deferred",
        "2026-11-28T10:30:42+00:00",
    )


def test_a_terminal_takes_no_orders_from_a_message(mailpod, asked):
    shown = mailpod("queue", "show", "M1").out
    assert "Subject: ?[31m" in shown
    assert "Hi" not in shown
    assert "Hi" in mailpod("queue", "show", "main:M1", "--body").out
    document = json.loads(mailpod("queue", "show", "M1", "--json").out)
    assert document["next_try"] == "2026-11-28T10:33:20+00:00"
    assert "body" not in document


def test_a_message_is_dropped_only_when_that_was_asked_for(mailpod, asked):
    refused = mailpod("queue", "drop", "M1")
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert asked == ["queue"]
    assert mailpod("queue", "drop", "M1", "--yes").code == 0
    assert mailpod("queue", "drop", "M1", "--bounce", "--yes").code == 0
    assert asked[1:] == ["queue", "drop M1", "queue", "return M1"]


def test_all_is_tried_again_without_an_id(mailpod, asked):
    assert mailpod("queue", "retry").code == 0
    assert asked[-1] == "retry M1"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["show", "M9"], 3), (["show", "M*"], 2), (["show", "eve:M1"], 3), (["retry", "main:M1", "--of", "alice"], 2)],
)
def test_what_is_not_there_or_no_id(mailpod, asked, words, code):
    assert mailpod("queue", *words).code == code
