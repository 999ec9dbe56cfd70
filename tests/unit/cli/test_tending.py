import json
from datetime import timedelta

import pytest

from mailpod.cli import tending
from mailpod.model.errors import MailpodError
from mailpod.model.records import ChoreDone, Tended, now


def test_what_was_done_is_one_document(mailpod, system):
    system.up("alice")
    answer = mailpod("tend", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["chores"]["keys"]["problem"] == ""


def test_a_chore_that_fails_ends_with_1_and_status_tells_of_it(mailpod, system, monkeypatch):
    def fails(context):
        raise MailpodError("no room", "make some")

    system.up()
    monkeypatch.setattr("mailpod.services.tending.CHORES", {"keys": fails})
    answer = mailpod("tend")
    assert (answer.code, answer.lines[-1]) == (1, "keys: no room; make some")
    assert "keys: no room; make some" in mailpod("status").out


def test_a_machine_that_forgets_to_is_told_of():
    long_ago = now() - timedelta(days=3)
    [line] = tending.problems(Tended(at=long_ago, chores={"keys": ChoreDone(last=long_ago)}))
    assert line.startswith(f"nothing was tended since {long_ago.isoformat()}")


@pytest.fixture
def root(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)


def test_up_has_the_machine_tend_the_system_and_down_ends_that(mailpod, system, timetable, root):
    assert mailpod("up", "example.org").code == 0
    [entry] = timetable.cron.iterdir()
    assert f"--state {system.folder} --instance mailpod tend" in entry.read_text()
    assert mailpod("down").code == 0
    assert not list(timetable.cron.iterdir())


def test_a_machine_that_cannot_is_told_of(mailpod, timetable, root, monkeypatch):
    monkeypatch.setattr("mailpod.host.timetable.which", lambda name: False)
    assert any(line.startswith("nothing here does chores") for line in mailpod("up", "example.org").lines)
