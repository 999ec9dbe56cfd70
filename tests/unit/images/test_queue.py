"""What is done to single messages in a queue: Postfix's programs are replaced by some that note their calls."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "images" / "common" / "queue"
OLD, YOUNG = 600, 10
KICKS = ["postkick public qmgr FDI", "postkick public pickup W"]
MARK = b"N\x37Received: by mail.club.test (Postfix, from userid 201)N\x10\tid 4Xy1234567z89"


class Queue:
    """A queue directory that is not there.

    Attributes:
        called: Postfix's programs with their words, and what they were given.
        worn: queue ids of messages that have been requeued as often as they may.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.local = ""
        self.entries: list[str] = []
        self.worn: list[str] = []
        note = 'echo "${0##*/} $*" >>"$NOTES"; case "$*" in *" -") cat >>"$NOTES" ;; esac\n'
        for name in ("postsuper", "postkick", "postqueue", "postconf", "postcat", "find", "touch", "s6-setuidgid"):
            before = {
                "postqueue": 'if [ "$1" = -j ]; then cat "$LIST"; exit; fi\n',
                "postconf": 'echo "$LOCAL"; exit\n',
                "find": 'case "$*" in "/data/spool/postfix/deferred -type f") cat "$FILES"; exit ;; esac\n',
                "s6-setuidgid": 'shift; case "$1" in */requeueable) cat "$MAY" ;; *) exec "$@" ;; esac; exit\n',
            }.get(name, "")
            (folder / name).write_text(f"#!/bin/sh\n{before}{note}")
            (folder / name).chmod(0o755)

    def put(self, queue_id: str, age: int, *recipients: str, queue: str = "deferred") -> None:
        entry = {
            "queue_name": queue,
            "queue_id": queue_id,
            "arrival_time": int(time.time()) - age,
            "sender": "a@b.test",
        }
        self.entries.append(json.dumps(entry | {"recipients": [{"address": one} for one in recipients]}))

    def run(self, *command: str) -> list[str]:
        notes = self._folder / "notes"
        notes.write_text("")
        (self._folder / "list").write_text("".join(f"{entry}\n" for entry in self.entries))
        ids = [json.loads(entry)["queue_id"] for entry in self.entries]
        (self._folder / "files").write_text("".join(f"/d/{one[0]}/{one}\n" for one in ids))
        (self._folder / "may").write_text("".join(f"{one}\n" for one in ids if one not in self.worn))
        environment = {
            "PATH": f"{self._folder}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "LIST": str(self._folder / "list"),
            "FILES": str(self._folder / "files"),
            "MAY": str(self._folder / "may"),
            "LOCAL": self.local,
        }
        done = subprocess.run([SCRIPTS / command[0], *command[1:]], env=environment, capture_output=True, check=False)
        self.code = done.returncode
        return notes.read_text().splitlines()


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def test_what_waits_for_long_is_tried_as_it_is_and_what_has_just_come_is_marked(queue: Queue) -> None:
    """Each mark is a header more; without it, a copy within the same minute would not be known as such."""
    queue.put("OLD", OLD, "box@alice.club.test")
    queue.put("YOUNG", YOUNG, "box@alice.club.test")
    assert queue.run("retry") == ["postsuper -r -", "YOUNG", "touch -c /d/O/OLD", *KICKS]


def test_what_has_been_marked_often_is_tried_as_it_is(queue: Queue) -> None:
    """Postfix returns what has fifty Received headers, and destroys it if it is a report (hopcount_limit)."""
    queue.put("WORN", YOUNG, "box@alice.club.test")
    queue.worn = ["WORN"]
    assert queue.run("retry") == ["touch -c /d/W/WORN", *KICKS]


def test_what_an_account_delivers_itself_is_never_marked(queue: Queue) -> None:
    """A filter that made copies and put it off would have it taken for delivered."""
    queue.local = "alice.club.test"
    queue.put("HERE", YOUNG, "box@Alice.club.test")
    queue.put("AWAY", YOUNG, "erin@outside.test")
    assert queue.run("retry") == ["postsuper -r -", "AWAY", "touch -c /d/H/HERE", *KICKS]


def test_only_those_that_were_named(queue: Queue) -> None:
    for name in ("A", "B", "C"):
        queue.put(name, OLD, "x@y.test")
    assert queue.run("retry", "A", "C", "D") == ["touch -c /d/A/A /d/C/C", *KICKS]


def test_what_is_on_hold_or_under_way_is_left_alone(queue: Queue) -> None:
    queue.put("HELD", OLD, "x@y.test", queue="hold")
    queue.put("ACTIVE", YOUNG, "x@y.test", queue="active")
    assert queue.run("retry") == []


def test_a_message_is_destroyed_or_returned(queue: Queue) -> None:
    assert queue.run("queue", "drop", "A", "B") == ["postsuper -d -", "A", "B"]
    assert queue.run("queue", "return", "A") == ["postsuper -f -", "A", "postqueue -i A"]


def test_what_is_on_hold_is_let_go_before_it_is_tried(queue: Queue) -> None:
    assert queue.run("queue", "release", "A", "B")[:3] == ["postsuper -H -", "A", "B"]


@pytest.mark.parametrize(
    "words", [["drop"], ["drop", "ALL;id"], ["drop", "-"], ["drop", "A", "../x"], ["drop", ""], ["no", "A"]]
)
def test_what_is_no_queue_id_is_refused(queue: Queue, words: list[str]) -> None:
    assert queue.run("queue", *words) == []
    assert queue.code == 2


def test_a_message_is_marked_as_long_as_it_has_less_than_thirty_received_headers(tmp_path: Path) -> None:
    """Wherever in the queue it lies, and whoever wrote them; what is far below does not count."""
    for name, content in {
        "new": b"N\x05hello",
        "often": MARK * 29,
        "worn": MARK * 30,
        "below": MARK * 20 + b"x" * 100_000 + MARK * 10,
    }.items():
        path = tmp_path / "deferred" / name[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done = subprocess.run(
        [SCRIPTS / "requeueable", "deferred"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.split()) == ["below", "new", "often"]
