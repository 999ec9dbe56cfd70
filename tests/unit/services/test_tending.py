from datetime import timedelta

import pytest

from mailpod.model.errors import MailpodError
from mailpod.model.records import now
from mailpod.services import dkim, installation, tending
from mailpod.services.tending import tend


def fails(context):
    raise MailpodError("no room", "make some")


def test_every_chore_is_done_and_it_is_written_down(system):
    system.up("alice")
    tended = tend(system.process())
    assert all(done.last and not done.problem for done in tended.chores.values())
    assert system.store.tended() == tended
    assert not tended.stale(now())


def test_one_that_fails_keeps_none_of_the_others(system, monkeypatch):
    system.up()
    monkeypatch.setattr(tending, "CHORES", {"first": lambda context: None, "second": lambda context: None})
    before = tend(system.process()).chores["first"].last
    monkeypatch.setattr(tending, "CHORES", {"first": fails, "second": lambda context: None})
    done = tend(system.process()).chores
    assert (done["first"].problem, done["first"].hint, done["first"].last) == ("no room", "make some", before)
    assert not done["second"].problem


def test_old_signing_keys_leave_after_their_week(system, monkeypatch):
    system.up("alice")
    dkim.rotate(system.process(), "alice")
    system.paste()
    tend(system.process())
    assert len(dkim.views(system.process(), "alice")) == 4
    later = now() + timedelta(days=8)
    monkeypatch.setattr("mailpod.services.signing.now", lambda: later)
    tend(system.process())
    assert len(dkim.views(system.process(), "alice")) == 2


def test_what_was_stopped_by_hand_stays_stopped(system):
    system.up("alice")
    system.world.containers["mailpod-alice"].state = "stopped"
    assert not tend(system.process()).chores["keys"].problem
    assert system.world.containers["mailpod-alice"].state == "stopped"


def test_a_system_that_is_down_is_left_alone(system):
    system.up()
    installation.down(system.process(), purge=False)
    with pytest.raises(MailpodError, match="the system is down"):
        tend(system.process())
    assert system.store.tended().at is None


def test_who_tends_seldom_is_told():
    moment = now()
    assert tending.Tended(at=moment - timedelta(days=2)).stale(moment)
    assert not tending.Tended(at=moment - timedelta(hours=2)).stale(moment)
