from datetime import timedelta

import pytest
from tests.fakes.steps import Steps

from mailpod.model.errors import MailpodError
from mailpod.model.records import now
from mailpod.services import accounts, aliases, freezing, installation, purging, retention, tending
from mailpod.services.channel import ChannelClosed

PASSWORD = "correct horse"


@pytest.fixture
def ready(system):
    """A system with a guest, and an account that stays."""
    system.up("alice")
    accounts.create(system.process(), "guest", PASSWORD, expires=now() + timedelta(days=7))
    return system


def later(monkeypatch, **time):
    moment = now() + timedelta(**time)
    monkeypatch.setattr(retention, "now", lambda: moment)


def names(system):
    return {account.name for account in system.store.accounts()}


def test_a_guest_leaves_when_its_time_is_over_and_may_come_back_to_stay(ready, monkeypatch):
    tending.tend(ready.process())
    assert names(ready) == {"alice", "guest"}
    later(monkeypatch, days=8)
    tending.tend(ready.process())
    assert names(ready) == {"alice"}
    assert [one.account.name for one in retention.kept(ready.process())] == ["guest"]
    accounts.undelete(ready.process(), "guest")
    tending.tend(ready.process())
    assert names(ready) == {"alice", "guest"}


def test_what_was_deleted_is_kept_for_its_time(ready, monkeypatch):
    installation.up(ready.process(), ready.planned(retention=timedelta(days=2)))
    [gone] = accounts.delete(ready.process(), "alice", purge=False)
    [kept] = retention.kept(ready.process())
    assert kept.until - kept.deleted == timedelta(days=2)
    later(monkeypatch, days=1)
    tending.tend(ready.process())
    assert ready.store.deleted()
    later(monkeypatch, days=3)
    tending.tend(ready.process())
    assert purging.prove(ready.process(), [gone]).clean
    ready.check_converged()


def test_one_that_cannot_be_ended_keeps_no_other_from_it(ready, monkeypatch):
    for name in ("alice", "guest"):
        accounts.delete(ready.process(), name, purge=False)
    later(monkeypatch, days=40)
    steps = Steps()
    steps.break_once("engine discard", MailpodError("in use"))
    with pytest.raises(MailpodError, match="in use"):
        retention.end_kept(ready.process(steps))
    installation.apply(ready.process())
    assert not ready.store.deleted()
    ready.check_converged()


def test_a_purge_leaves_nothing_and_says_so(ready):
    context = ready.process()
    aliases.add(context, "team", ["alice", "guest"])
    aliases.add(context, "only", ["alice"])
    freezing.freeze(ready.process(), "alice")
    account = ready.store.account("alice")
    ready.store.keep_log(account, b"last words")
    before = purging.prove(ready.process(), [account])
    assert not before.clean
    assert {look.where for look in before.looks if look.found} == {"engine", "state folder"}
    gone = accounts.delete(ready.process(), "alice", purge=True)
    assert purging.prove(ready.process(), gone).clean
    assert [alias.local_part for alias in ready.store.aliases()] == ["team"]


def test_a_purge_waits_for_main(ready):
    steps = Steps()
    steps.break_once("channel main forget", ChannelClosed("main cannot be reached"))
    gone = accounts.delete(ready.process(steps), "alice", purge=True)
    assert not purging.prove(ready.process(), gone).clean
    assert not retention.kept(ready.process())
    installation.apply(ready.process())
    assert purging.prove(ready.process(), gone).clean
    ready.check_converged()


def test_mail_that_was_sent_is_told_of(ready):
    context = ready.process()
    context.channel.queue = (
        b'{"queue_id": "A", "sender": "alice@example.org", "recipients": [{"address": "x@y.test"}]}\n'
    )
    gone = accounts.delete(context, "alice", purge=True)
    proof = purging.prove(context, gone)
    assert proof.clean
    assert "1 messages" in proof.beyond[0]


def test_mail_for_it_that_does_not_go_back_is_found(ready, monkeypatch):
    monkeypatch.setattr(purging, "_PATIENCE", 0)
    context = ready.process()
    gone = accounts.delete(context, "alice", purge=True)
    context.channel.queue = b'{"queue_id": "A", "sender": "", "recipients": [{"address": "box@alice.example.org"}]}\n'
    assert [look.found for look in purging.prove(context, gone).looks if look.found] == [("A",)]
