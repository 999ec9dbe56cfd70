from datetime import timedelta

import pytest
from tests.fakes.acme import LIFE
from tests.fakes.system import PASSWORD

from mailpod.model import certificate, layout
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import LETS_ENCRYPT, now
from mailpod.services import (
    accounts,
    certificate_views,
    certificates,
    dns,
    freezing,
    installation,
    issuing,
    proving,
    rotating,
    tending,
)
from mailpod.services.acme import Unusable
from mailpod.services.acme_options import AcmeOptions, planned
from mailpod.services.issuing import issue_due, issue_for, renew
from mailpod.services.keys import Keys
from mailpod.services.lookup import Unknown
from mailpod.store import Store

SERVER = "https://acme.test/directory"
CHALLENGE = ("_acme-challenge.alice.example.org", "TXT")


def asking(system, *names, server=SERVER):
    """A system that asks for certificates, with those accounts; nobody has asked yet."""
    context = system.process()
    wanted = planned(system.planned(), AcmeOptions("ops@example.org", server))
    installation.up(context, wanted)
    for name in names:
        accounts.create(context, name, PASSWORD)
    return system


def shown_by_main(system):
    return system.world.volumes[layout.main_container(system.instance)].files["etc/tls/shown.pem"].content.decode()


def shown_by(system, name):
    return system.files_of(system.store.account(name))["etc/tls/shown.pem"].decode()


def views(system):
    return {one.name: one for one in certificate_views.views(system.process())}


def at(monkeypatch, moment):
    """Let it be another time, for all that certificates are judged by."""
    for module in (certificates, certificate_views, issuing):
        monkeypatch.setattr(module, "now", lambda: moment)


@pytest.fixture
def served(system):
    """A system that serves its zone itself."""
    system.dns = "built-in"
    return system


def test_without_a_server_the_authoritys_is_shown_and_nobody_is_asked(served):
    served.up("alice")
    issue_due(served.process())
    assert not served.acme.orders
    assert {one.state for one in views(served).values()} == {"own"}
    assert views(served)["main"].issuer == "mailpod example.org"
    with pytest.raises(MailpodError, match="nobody is asked"):
        renew(served.process())


def test_looking_writes_nothing(served):
    served.up("alice")
    before = served.state()
    views(served)
    assert served.state() == before


def test_main_has_one_for_its_names_and_an_account_its_own(served):
    asking(served, "alice")
    issue_due(served.process())
    (mains, kind), (alices, _) = served.acme.orders
    assert kind == "dns-01"
    assert mains == layout.main_public_names(served.store.system())
    assert alices == ("alice.example.org",)
    found = views(served)
    assert {(one.state, one.issuer) for one in found.values()} == {("valid", "Made Up")}
    assert certificates.names_of(certificates.leaf(shown_by_main(served))) == mains
    assert certificates.names_of(certificates.leaf(shown_by(served, "alice"))) == alices
    served.check_converged()
    issue_due(served.process())
    assert len(served.acme.orders) == 2


def test_others_are_told_to_insist_on_a_public_one_and_not_on_another(served):
    def published():
        policy = served.tables()["web/mta-sts.txt"]
        zone = served.world.zones[layout.nameserver_container(served.instance)]
        return "mode: enforce" in policy, zone["_mta-sts.example.org", "TXT"]

    asking(served)
    insists, before = published()
    assert not insists
    issue_due(served.process())
    insists, after = published()
    assert insists
    assert after != before


def test_who_says_that_others_trust_an_authority_of_his_own_may_insist_too(served):
    """Where it is in the file of those that main trusts outside."""
    asking(served)
    context = served.process()
    assert not context.is_public
    folder = context.store.folder / "trust"
    folder.mkdir()
    (folder / "authorities.pem").write_text(Keys(Store(folder / "other"), "example.net").authority())
    assert not context.is_public
    (folder / "authorities.pem").write_text(context.keys.authority())
    assert context.is_public
    installation.apply(context)
    assert "mode: enforce" in served.tables()["web/mta-sts.txt"]


def test_no_account_gets_what_is_anothers(served):
    asking(served, "alice", "bob")
    issue_due(served.process())
    keys = {name: shown_by(served, name).partition("-----END PRIVATE KEY-----")[0] for name in ("alice", "bob")}
    keys["main"] = shown_by_main(served).partition("-----END PRIVATE KEY-----")[0]
    assert len(set(keys.values())) == 3
    for name in ("alice", "bob"):
        has = b"".join(served.files_of(served.store.account(name)).values()).decode()
        assert [owner for owner, key in keys.items() if key in has] == [name]


def test_the_zone_pins_one_key_before_and_after(served):
    served.up()
    pinned = {one.data for one in dns.records(served.process()) if one.kind == "TLSA"}
    asking(served)
    issue_due(served.process())
    renew(served.process(), "main")
    assert {one.data for one in dns.records(served.process()) if one.kind == "TLSA"} == pinned
    assert len(pinned) == 1


def test_the_proof_is_in_the_zone_until_it_was_seen_whatever_is_published_meanwhile(served):
    asking(served, "alice")
    zone = served.world.zones[layout.nameserver_container(served.instance)]
    seen = []

    def looks(_challenges):
        dns.publish(served.process())
        seen.append(served.world.zones[layout.nameserver_container(served.instance)].get(CHALLENGE))

    served.acme.looks = looks
    issue_for(served.process(), "alice")
    assert seen == [frozenset({'"proof-alice.example.org"'})]
    assert CHALLENGE not in served.world.zones[layout.nameserver_container(served.instance)]
    assert zone


def test_who_is_refused_goes_on_with_what_there_is_and_is_left_alone_for_a_while(served, monkeypatch):
    asking(served, "alice", "bob")
    served.acme.problem["alice.example.org"] = MailpodError("the ACME server refuses: no", "see: mailpod dns check")
    issue_due(served.process())
    assert any("no certificate for alice: the ACME server refuses: no" in line for line in served.said)
    alice = views(served)["alice"]
    assert (alice.state, alice.problem, alice.issuer) == (
        "failed",
        "the ACME server refuses: no",
        "mailpod example.org",
    )
    assert views(served)["bob"].state == "valid"
    issue_due(served.process())
    assert len(served.acme.orders) == 3
    at(monkeypatch, now() + timedelta(hours=1, minutes=1))
    issue_due(served.process())
    assert len(served.acme.orders) == 4
    at(monkeypatch, now() + timedelta(hours=2, minutes=30))
    issue_due(served.process())
    assert len(served.acme.orders) == 4, "the second pause is longer"
    served.acme.problem.clear()
    [view] = renew(served.process(), "alice")
    assert (view.state, view.problem) == ("valid", "")


def test_a_server_that_does_not_answer_is_asked_once_for_all(served):
    asking(served, "alice", "bob")
    served.acme.problem["example.org"] = Unusable("it does not answer", "look")
    issue_due(served.process())
    assert len(served.acme.orders) == 1
    assert {(one.state, one.problem) for one in views(served).values()} == {("failed", "it does not answer")}
    issue_due(served.process())
    issue_for(served.process(), "alice")
    assert len(served.acme.orders) == 1
    # Another server is asked at once.
    served.acme.problem.clear()
    asking(served, server="https://other.test/directory")
    issue_due(served.process())
    assert {one.state for one in views(served).values()} == {"valid"}


def test_renewal_comes_with_a_third_of_the_life_left(served, monkeypatch):
    asking(served, "alice")
    issue_due(served.process())
    before = shown_by(served, "alice")
    at(monkeypatch, now() + LIFE * 2 / 3 - timedelta(hours=1))
    issue_due(served.process())
    assert len(served.acme.orders) == 2
    at(monkeypatch, now() + LIFE * 2 / 3 + timedelta(hours=1))
    assert views(served)["alice"].state == "due"
    served.acme.start = now() + LIFE * 2 / 3
    tending.tend(served.process())
    assert len(served.acme.orders) == 4
    after = shown_by(served, "alice")
    assert after != before
    assert after.partition("-----BEGIN CERT")[0] == before.partition("-----BEGIN CERT")[0], "another key"


def test_one_that_is_over_gives_way_to_the_authoritys(served, monkeypatch):
    asking(served, "alice")
    issue_due(served.process())
    served.acme.problem["alice.example.org"] = MailpodError("no", "")
    at(monkeypatch, now() + LIFE + timedelta(days=1))
    served.acme.start = now() + LIFE
    issue_due(served.process())
    alice = views(served)["alice"]
    assert (alice.state, alice.issuer, alice.problem) == ("expired", "mailpod example.org", "no")
    assert certificates.issuer_of(certificates.leaf(shown_by(served, "alice"))) == "mailpod example.org"
    assert certificates.issuer_of(certificates.leaf(shown_by_main(served))) == "Made Up"


def test_given_up_the_authoritys_is_shown_again(served):
    asking(served, "alice")
    issue_due(served.process())
    installation.up(served.process(), planned(served.planned(), AcmeOptions("none")))
    assert {(one.state, one.issuer) for one in views(served).values()} == {("own", "mailpod example.org")}
    assert certificates.issuer_of(certificates.leaf(shown_by(served, "alice"))) == "mailpod example.org"
    assert certificates.issuer_of(certificates.leaf(shown_by_main(served))) == "mailpod example.org"


def test_no_more_new_names_a_week_than_the_public_server_gives(served, monkeypatch):
    monkeypatch.setattr(issuing, "_NEW_A_WEEK", 2)
    asking(served, "alice", "bob", server=LETS_ENCRYPT)
    issue_due(served.process())
    assert [names[0] for names, _ in served.acme.orders] == ["example.org", "alice.example.org"]
    assert views(served)["bob"].state == "waiting"
    at(monkeypatch, now() + timedelta(days=8))
    issue_due(served.process())
    assert [names[0] for names, _ in served.acme.orders][2:] == ["bob.example.org"]


def test_a_chain_that_is_for_something_else_is_not_taken(served, monkeypatch):
    asking(served)
    other = certificates.Keys(served.store, "example.org")
    monkeypatch.setattr(served.acme, "order", lambda *_: other.certify(issuing_key(), ("example.org",)))
    issue_due(served.process())
    assert "another certificate" in views(served)["main"].problem
    assert views(served)["main"].issuer == "mailpod example.org"


def issuing_key():
    return certificates.new_key()


def test_what_was_had_before_a_crash_is_handed_over_by_tend(served, monkeypatch):
    asking(served, "alice")

    def dies(*_anything):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(issuing, "_hand_over", dies)
        with pytest.raises(KeyboardInterrupt):
            issue_for(served.process(), "alice")
    issue_due(served.process())
    assert certificates.issuer_of(certificates.leaf(shown_by(served, "alice"))) == "Made Up"
    issue_for(served.process(), "alice")
    assert [names[0] for names, _ in served.acme.orders] == ["alice.example.org", "example.org"]


def test_a_key_that_was_replaced_meanwhile_does_not_come_back(served):
    asking(served, "alice")
    served.acme.looks = lambda _challenges: rotating.rotate(served.process(), "alice")
    issue_for(served.process(), "alice")
    assert "its key was replaced meanwhile" in served.said[-1]
    assert views(served)["alice"].state == "waiting"


def test_frozen_and_missing_accounts_are_not_asked_for(served):
    asking(served, "alice")
    alice = served.store.account("alice")
    served.store.save_account(alice.model_copy(update={"frozen": now()}))
    issue_due(served.process())
    assert len(served.acme.orders) == 1
    for name in ("alice", "eve"):
        with pytest.raises(NotFound):
            renew(served.process(), name)


def test_a_purge_takes_the_key_along(served):
    asking(served, "alice")
    account = served.store.account("alice")
    path = served.folder / "secrets" / "certificates" / f"{account.id}.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    accounts.delete(served.process(), "alice", purge=True)
    assert not path.exists()


def test_an_account_that_may_have_been_robbed_gets_another_key(served):
    asking(served, "alice")
    issue_due(served.process())
    keys = [served.process().account_certificate(served.store.account("alice")).key]
    rotating.rotate(served.process(), "alice")
    keys.append(served.process().account_certificate(served.store.account("alice")).key)
    assert keys[1] in shown_by(served, "alice")
    freezing.freeze(served.process(), "alice")
    freezing.thaw(served.process(), "alice")
    keys.append(served.process().account_certificate(served.store.account("alice")).key)
    assert len(set(keys)) == 3


class Lookup:
    """A resolver that knows these names."""

    def __init__(self, records):
        self._records = records

    def ask(self, name, kind):
        if self._records.get("silent"):
            raise Unknown("nobody answers")
        return self._records.get((name, kind), set())


@pytest.fixture
def elsewhere(system, monkeypatch):
    """A system whose zone others serve: most names lead here."""
    records = {(name, "A"): {"192.0.2.1"} for name in ("mail.example.org", "imap.example.org", "bob.example.org")}
    records[("example.org", "A")] = {"192.0.2.80"}
    records[("alice.example.org", "A")] = {"192.0.2.1"}
    records[("alice.example.org", "AAAA")] = {"2001:db8::a"}
    monkeypatch.setattr(proving, "Resolver", lambda _address: Lookup(records))
    system.records = records
    context = system.process()
    base = system.planned(public_ipv4="192.0.2.1")
    installation.up(context, planned(base, AcmeOptions("ops@example.org", SERVER)))
    return system


def test_with_the_dns_elsewhere_the_web_server_proves_what_leads_to_it(elsewhere):
    seen = {}

    def looks(challenges):
        files = elsewhere.world.volumes[layout.main_container(elsewhere.instance)].files
        seen.update({one.name: files[f"etc/challenges/{one.token}"].content for one in challenges})

    elsewhere.acme.looks = looks
    issue_due(elsewhere.process())
    assert elsewhere.acme.orders == [(("mail.example.org", "imap.example.org"), "http-01")]
    assert seen["mail.example.org"] == b"proof-mail.example.org"
    main = views(elsewhere)["main"]
    assert main.state == "valid"
    assert "example.org" in main.left_out
    issue_due(elsewhere.process())
    assert len(elsewhere.acme.orders) == 1
    elsewhere.records["silent"] = True
    with pytest.raises(MailpodError, match="nobody answers"):
        renew(elsewhere.process(), "main")
    assert views(elsewhere)["main"].issuer == "Made Up"
    del elsewhere.records["silent"]
    elsewhere.records[("webmail.example.org", "A")] = {"192.0.2.1"}
    renew(elsewhere.process(), "main")
    assert elsewhere.acme.orders[1][0] == ("mail.example.org", "webmail.example.org", "imap.example.org")


def test_an_account_that_others_reach_past_main_is_told_why_it_has_none(elsewhere):
    context = elsewhere.process()
    for name in ("alice", "bob"):
        accounts.create(context, name, PASSWORD)
        issue_for(elsewhere.process(), name)
    assert elsewhere.acme.orders == [(("bob.example.org",), "http-01")]
    alice = views(elsewhere)["alice"]
    assert alice.state == "failed"
    assert "alice.example.org leads to another web server" in alice.problem


def test_pauses_grow_and_end():
    trouble = certificate.Trouble(last=now(), settings="", problem="")
    pauses = [trouble.model_copy(update={"count": n}).until - trouble.last for n in (1, 2, 3, 50)]
    assert pauses == [timedelta(hours=hours) for hours in (1, 2, 4, 12)]
