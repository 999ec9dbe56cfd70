from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import now
from mailpod.services import accounts, dkim, dns, installation, signing, tending
from mailpod.services.lookup import Unknown


def by_domain(keys):
    found = {}
    for domain, key in keys:
        found.setdefault(domain, []).append(key.selector)
    return found


def signing_now(system):
    lines = [line.split() for line in system.tables()["rspamd/keys"].splitlines()[1:]]
    return {(domain, selector) for domain, selector, _ in lines}


def test_every_domain_has_two_keys_and_main_signs_with_them(system):
    system.up("alice")
    shown = dkim.views(system.process())
    assert [(domain, key.algorithm) for domain, key in shown] == [
        ("example.org", "rsa"),
        ("example.org", "ed25519"),
        ("alice.example.org", "rsa"),
        ("alice.example.org", "ed25519"),
    ]
    assert signing_now(system) == {(domain, key.selector) for domain, key in shown}


def test_those_of_one_account_are_shown_alone(system):
    system.up("alice", "bob")
    assert by_domain(dkim.views(system.process(), "Bob")).keys() == {"bob.example.org"}
    with pytest.raises(NotFound):
        dkim.views(system.process(), "eve")


@pytest.fixture
def served(system):
    """A system with a name server of its own."""
    system.dns = "built-in"
    return system.up("alice")


def selectors(system, which):
    return {(domain, key.selector) for domain, key in dkim.views(system.process()) if which(key)}


def test_after_a_rotation_new_keys_sign_and_old_ones_are_still_published(served):
    before = by_domain(dkim.views(served.process()))
    shown = by_domain(dkim.rotate(served.process(), "alice"))
    assert shown["alice.example.org"][2:] == before["alice.example.org"]
    assert by_domain(dkim.views(served.process()))["example.org"] == before["example.org"]
    assert signing_now(served) == {
        *(("example.org", selector) for selector in before["example.org"]),
        *(("alice.example.org", selector) for selector in shown["alice.example.org"][:2]),
    }
    [zone] = served.world.zones.values()
    for selector in shown["alice.example.org"]:
        assert (f"{selector}._domainkey.alice.example.org", "TXT") in zone


def test_served_elsewhere_new_keys_sign_once_the_public_dns_has_them(system):
    system.up("alice")
    before = signing_now(system)
    shown = dkim.rotate(system.process(), "alice")
    assert [(key.new, bool(key.retired)) for _, key in shown] == [*[(True, False)] * 2, *[(False, False)] * 2]
    for again in (installation.apply, tending.tend):
        again(system.process())
        assert signing_now(system) == before
    system.paste()
    tending.tend(system.process())
    assert signing_now(system) == selectors(system, lambda key: not key.retired) != before
    assert selectors(system, lambda key: key.new) == set()
    system.check_converged()


def test_a_resolver_that_does_not_tell_lets_the_old_keys_sign(system):
    def ask(_name, _kind):
        raise Unknown("nobody answers")

    system.up("alice")
    before = signing_now(system)
    context = system.process()
    context.__dict__["public_dns"] = SimpleNamespace(ask=ask)
    dkim.rotate(context)
    assert signing_now(system) == before
    assert len([line for line in system.said if "does not tell" in line]) == 1


def test_one_key_of_two_is_not_enough(system):
    system.up("alice")
    before = signing_now(system)
    [(_, rsa), *_] = dkim.rotate(system.process(), "alice")
    system.paste()
    del system.world.public[rsa.record("alice.example.org"), "TXT"]
    installation.apply(system.process())
    assert signing_now(system) == before


def test_a_name_server_that_is_down_lets_the_old_keys_sign(served, monkeypatch):
    before = signing_now(served)
    served.world.containers["mailpod-dns"].state = "exited"
    monkeypatch.setattr(dns, "_START_SECONDS", 0)
    with pytest.raises(MailpodError):
        dkim.rotate(served.process(), "alice")
    accounts.create(served.process(), "bob", PASSWORD)
    assert {one for one in signing_now(served) if one[0] != "bob.example.org"} == before
    served.world.containers["mailpod-dns"].state = "running"
    installation.apply(served.process())
    assert signing_now(served) == selectors(served, lambda key: not key.retired)
    served.check_converged()


def test_a_kill_at_any_step_never_has_a_key_sign_that_nobody_finds(served):
    """Nor does it leave a domain without keys that sign."""
    number = 0
    while True:
        number += 1
        steps = Steps()
        steps.die_at(number)
        try:
            dkim.rotate(served.process(steps), "alice")
        except Killed:
            pass
        else:
            break
        [zone] = served.world.zones.values()
        for domain, selector in signing_now(served):
            assert (f"{selector}._domainkey.{domain}", "TXT") in zone
        assert {domain for domain, _ in signing_now(served)} == {"example.org", "alice.example.org"}
        installation.apply(served.process())
        assert selectors(served, lambda key: key.new) == set()
        served.check_converged()


def test_all_domains_are_rotated_when_none_is_named(system):
    system.up("alice")
    system.paste()
    assert {domain: len(keys) for domain, keys in by_domain(dkim.rotate(system.process())).items()} == {
        "example.org": 4,
        "alice.example.org": 4,
    }


def test_apply_drops_the_old_ones_after_a_week(served, monkeypatch):
    dkim.rotate(served.process())
    installation.apply(served.process())
    assert len(dkim.views(served.process())) == 8
    monkeypatch.setattr(signing, "now", lambda: now() + timedelta(days=7))
    installation.apply(served.process())
    assert len(dkim.views(served.process())) == 4
    served.check_converged()


def test_nothing_is_rotated_while_main_is_down(system):
    system.up("alice")
    before = dkim.views(system.process())
    installation.down(system.process(), purge=False)
    with pytest.raises(MailpodError, match="not running"):
        dkim.rotate(system.process())
    assert dkim.views(system.process()) == before
