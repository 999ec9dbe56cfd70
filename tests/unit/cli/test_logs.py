import json

import pytest
from tests.unit.model import loglines


@pytest.fixture
def club(system):
    """A system whose containers have said what the recorded ones have."""
    system.up("alice")
    for name, said in (("main", loglines.MAIN), ("alice", loglines.ALICE)):
        system.world.containers[f"mailpod-{name}"].output = said.splitlines()
    return system


def test_lines_are_shown_without_what_is_in_them_twice(mailpod, club):
    line = mailpod("logs", "alice", "--lines", "1").out
    assert line.count("10:30:42") + line.count("28") <= 2
    assert line.endswith("postfix/qmgr[75]: 4jc64f6TjbzCT0P: removed\n")
    assert "4jc64d6NXzzCSyy" in mailpod("logs").out
    assert mailpod("logs", "alice", "--follow").out.endswith(line)
    (document,) = json.loads(mailpod("logs", "alice", "--lines", "1", "--json").out)
    assert line.endswith(f" {document['text']}\n")
    assert document["at"].startswith("2026-11-28T")


def test_control_c_is_how_following_ends(mailpod, club, monkeypatch):
    def follow(_logs, _account, _last):
        yield "2026-11-28T10:30:42.1Z the last"
        raise KeyboardInterrupt

    monkeypatch.setattr("mailpod.services.logs.Logs.follow", follow)
    ended = mailpod("logs", "--follow")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith(" the last\n")


def test_a_terminal_takes_no_orders_from_a_log(mailpod, club):
    club.world.containers["mailpod-main"].output = ["2026-11-28T10:30:42.1Z a\x1b]0;b\x07"]
    assert mailpod("logs").out.endswith(" a?]0;b?\n")


def test_a_way_is_told_line_by_line(mailpod, club):
    shown = mailpod("trace", "in@test.invalid", "--since", "3653d").out.splitlines()
    assert shown[0] == "<in@test.invalid> from someone@outside.test"
    assert shown[-2] == "  → box@alice.club.test: in mailbox of alice (INBOX)"
    (document,) = json.loads(mailpod("trace", "in@test.invalid", "--since", "3653d", "--json").out)
    assert document["outcomes"] == [
        {"recipient": "box@alice.club.test", "kind": "delivered", "text": "in mailbox of alice (INBOX)"}
    ]
    assert document["steps"][0].keys() == {"at", "element", "queue_id", "what"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["trace", "none@test.invalid", "--since", "3653d"], 3),
        (["trace", "<>"], 2),
        (["trace", "a@b.test", "--since", "soon"], 2),
        (["trace", "a@b.test", "--since", "0h"], 2),
        (["trace", "a@b.test", "--since", "3654d"], 2),
        (["logs", "eve"], 3),
        (["logs", "--since", "1h", "--follow"], 2),
        (["logs", "--json", "--follow"], 2),
        (["trace", "none@test.invalid", "--since", "3653d", "--json"], 3),
        (["logs", "--lines", "0"], 2),
    ],
)
def test_what_is_not_there_or_cannot_be(mailpod, club, words, code):
    assert mailpod(*words).code == code
