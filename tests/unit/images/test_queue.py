"""What is done to single messages in a queue: Postfix's programs are replaced by some that note their calls."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "images" / "common" / "queue"
OLD, YOUNG = 600, 10


class Queue:
    """A queue directory that is not there.

    Attributes:
        called: Postfix's programs with their words, and what they were given.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.local = ""
        self.entries: list[str] = []
        note = 'echo "${0##*/} $*" >>"$NOTES"; case "$*" in *" -") cat >>"$NOTES" ;; esac\n'
        for name in ("postsuper", "postkick", "postqueue", "postconf", "postcat", "find", "s6-setuidgid"):
            before = {
                "postqueue": 'if [ "$1" = -j ]; then cat "$LIST"; exit; fi\n',
                "postconf": 'echo "$LOCAL"; exit\n',
                "s6-setuidgid": 'shift; exec "$@"\n',
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
        environment = {
            "PATH": f"{self._folder}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "LIST": str(self._folder / "list"),
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
    assert queue.run("retry") == [
        "postsuper -r -",
        "YOUNG",
        "postkick public qmgr FI",
        "postkick public pickup W",
        "postqueue -i OLD",
    ]


def test_what_an_account_delivers_itself_is_never_marked(queue: Queue) -> None:
    """A filter that made copies and put it off would have it taken for delivered."""
    queue.local = "alice.club.test"
    queue.put("HERE", YOUNG, "box@Alice.club.test")
    queue.put("AWAY", YOUNG, "erin@outside.test")
    called = queue.run("retry")
    assert called[:2] == ["postsuper -r -", "AWAY"]
    assert called[-1] == "postqueue -i HERE"


def test_only_those_that_were_named(queue: Queue) -> None:
    for name in ("A", "B", "C"):
        queue.put(name, OLD, "x@y.test")
    assert queue.run("retry", "A", "C", "D") == ["postqueue -i A", "postqueue -i C"]


def test_what_is_on_hold_or_under_way_is_left_alone(queue: Queue) -> None:
    queue.put("HELD", OLD, "x@y.test", queue="hold")
    queue.put("ACTIVE", YOUNG, "x@y.test", queue="active")
    assert queue.run("retry") == []


def test_a_message_is_destroyed_or_returned(queue: Queue) -> None:
    assert queue.run("queue", "drop", "A", "B") == ["postsuper -d -", "A", "B"]
    assert queue.run("queue", "return", "A") == ["postsuper -f -", "A", "postqueue -i A"]


@pytest.mark.parametrize(
    "words", [["drop"], ["drop", "ALL;id"], ["drop", "-"], ["drop", "A", "../x"], ["drop", ""], ["no", "A"]]
)
def test_what_is_no_queue_id_is_refused(queue: Queue, words: list[str]) -> None:
    assert queue.run("queue", *words) == []
    assert queue.code == 2
