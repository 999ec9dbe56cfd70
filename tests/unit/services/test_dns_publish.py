"""What is sent to a name server that is somebody else's."""

from types import SimpleNamespace

import pytest
from tests.fakes.publisher import Elsewhere
from tests.fakes.system import PASSWORD

from mailpod.model.errors import InvalidInput
from mailpod.model.publishing import Way
from mailpod.services import accounts, chores, dns, dns_publish, installation, proving, tending
from mailpod.services.acme import Challenge
from mailpod.services.lookup import Unknown
from mailpod.services.nameserver import Silent, sets


@pytest.fixture
def server():
    return Elsewhere()


@pytest.fixture
def context(system):
    system.store.folder.mkdir()
    return system.up("alice").process()


def wanted(context):
    return sets(dns.records(context))


def test_all_is_there_beside_what_was_there(context, server):
    done = dns_publish.publish(context, server)
    assert done.sets == len(wanted(context))
    assert server.zone["www.example.org", "A"] == {"192.0.2.80"}
    assert server.zone["example.org", "TXT"] == {'"some-verification=1"', '"v=spf1 a:mail.example.org -all"'}
    ours = wanted(context)
    assert {key: server.zone[key] for key in ours if key[1] != "TXT"} == {
        k: v for k, v in ours.items() if k[1] != "TXT"
    }


def test_what_is_gone_is_taken_back(system, context, server):
    dns_publish.publish(context, server)
    accounts.delete(system.process(), "alice", purge=True)
    accounts.create(system.process(), "bob", PASSWORD)
    dns_publish.publish(system.process(), server)
    assert not [name for name, _ in server.zone if "alice" in name]
    assert ("bob.example.org", "MX") in server.zone
    assert server.zone["www.example.org", "A"] == {"192.0.2.80"}


def test_what_broke_off_is_known_to_be_ours(system, context, server):
    server.breaks = True
    with pytest.raises(Silent):
        dns_publish.publish(context, server)
    server.breaks = False
    accounts.delete(system.process(), "alice", purge=True)
    dns_publish.publish(system.process(), server)
    assert not [name for name, _ in server.zone if "alice" in name]


def test_nothing_is_sent_where_nothing_has_changed(system, context, server):
    dns_publish.publish(context, server)
    server.breaks = True
    assert dns_publish.publish(system.process(), server).changes == []


def test_what_is_to_be_changed_is_shown_first(context, server):
    before, shown = dict(server.zone), []

    def show(changes):
        assert server.zone == before
        shown.extend(changes)

    done = dns_publish.publish(context, server, show)
    assert shown == done.changes
    [mail] = [one for one in shown if (one.name, one.kind) == ("example.org", "TXT")]
    assert mail.before - mail.after == {'"v=spf1 -all"'}
    assert mail.after - mail.before == {'"v=spf1 a:mail.example.org -all"'}


def test_a_dry_run_changes_nothing(context, server):
    before = dict(server.zone)
    assert dns_publish.publish(context, server, dry_run=True).changes
    assert server.zone == before
    assert not dns.published_file(context).exists()


@pytest.fixture
def kept(system, server, monkeypatch):
    """A system that publishes by itself."""
    monkeypatch.setattr(dns_publish, "publisher", lambda _context, _way: server)
    monkeypatch.setattr(proving, "publisher", lambda _context, _way: server)
    monkeypatch.setattr(proving, "Resolver", lambda _address: SimpleNamespace(ask=lambda _name, _kind: set()))
    system.up("alice").store.save_publishing(Way(provider="gandi", options={"token": "t"}))
    return system


def test_accounts_come_and_go_by_themselves(kept, server):
    accounts.create(kept.process(), "bob", PASSWORD)
    assert server.zone["bob.example.org", "MX"] == {"10 mail.example.org."}
    accounts.delete(kept.process(), "bob", purge=False)
    assert ("bob.example.org", "MX") not in server.zone


def test_a_provider_that_is_down_keeps_nobody_from_an_account(kept, server):
    server.breaks = True
    accounts.create(kept.process(), "bob", PASSWORD)
    assert any("the DNS at gandi could not be told" in line for line in kept.said)
    server.breaks = False
    installation.apply(kept.process())
    assert server.zone["bob.example.org", "MX"] == {"10 mail.example.org."}


def wrong(system):
    """What `status` says of it."""
    return system.store.tended().chores[chores.DNS].problem


def test_a_provider_that_refuses_is_told_of_until_it_has_taken_everything(kept, server):
    server.refuses = True
    installation.apply(kept.process())
    assert "gandi could not be told: refused" in wrong(kept)
    assert "gandi could not be told: refused" in tending.tend(kept.process()).chores[chores.DNS].problem
    assert not kept.store.tended().chores["keys"].problem
    server.refuses = False
    for again in (lambda: tending.tend(kept.process()), lambda: dns_publish.publish(kept.process(), server)):
        again()
        assert not wrong(kept)
        chores.note(kept.process(), chores.DNS, Silent("broke off", "try again"))


def test_what_is_served_here_by_now_is_not_sent(system, context, server):
    assert context.system.dns == "elsewhere"
    installation.up(system.process(), system.planned(dns="built-in"))
    with pytest.raises(InvalidInput):
        dns_publish.publish(context, server)


def test_names_are_proved_there_and_what_others_prove_stays(kept, server):
    theirs = frozenset({'"of-another"'})
    server.zone["_acme-challenge.www.example.org", "TXT"] = theirs
    names, kind, show = proving.proof(kept.process(), ("alice.example.org",))
    assert (names, kind) == (("alice.example.org",), "dns-01")
    challenge = ("_acme-challenge.alice.example.org", "TXT")
    with show([Challenge("alice.example.org", "token", "value")]):
        assert server.zone[challenge] == {'"value"'}
    assert challenge not in server.zone
    assert server.zone["_acme-challenge.www.example.org", "TXT"] == theirs


def test_the_proof_is_awaited_at_every_name_server(kept, monkeypatch):
    answers = {"NS": {"a.example.net.", "b.example.net.", "c.example.net."}, "A": {"192.0.2.1"}}
    monkeypatch.setattr(proving, "Resolver", lambda _address: SimpleNamespace(ask=lambda _name, kind: answers[kind]))
    copies = iter([set(), {'"value"'}, Unknown("nobody answers"), {'"value"'}])

    def held(_address, _name, _kind):
        found = next(copies)
        if isinstance(found, Unknown):
            raise found
        return found

    monkeypatch.setattr(proving, "held", held)
    _, _, show = proving.proof(kept.process(), ("alice.example.org",))
    with show([Challenge("alice.example.org", "token", "value")]):
        assert list(copies) == []


def test_what_is_served_here_is_not_sent(system, server):
    system.dns = "built-in"
    with pytest.raises(InvalidInput):
        dns_publish.publish(system.up().process(), server)


def test_a_purge_forgets_what_was_sent(system, context, server):
    dns_publish.publish(context, server)
    installation.down(system.process(), purge=True)
    assert not dns.published_file(context).exists()
