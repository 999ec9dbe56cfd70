from datetime import timedelta

import pytest

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import now
from mailpod.services import dkim, installation, signing


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


def test_after_a_rotation_new_keys_sign_and_old_ones_are_still_published(system):
    system.up("alice")
    before = by_domain(dkim.views(system.process()))
    shown = by_domain(dkim.rotate(system.process(), "alice"))
    assert shown["alice.example.org"][2:] == before["alice.example.org"]
    assert by_domain(dkim.views(system.process()))["example.org"] == before["example.org"]
    assert signing_now(system) == {
        *(("example.org", selector) for selector in before["example.org"]),
        *(("alice.example.org", selector) for selector in shown["alice.example.org"][:2]),
    }
    published = {(record.domain, record.selector) for record in system.process().dkim_records()}
    assert published >= {("alice.example.org", selector) for selector in shown["alice.example.org"]}


def test_all_domains_are_rotated_when_none_is_named(system):
    system.up("alice")
    assert {domain: len(keys) for domain, keys in by_domain(dkim.rotate(system.process())).items()} == {
        "example.org": 4,
        "alice.example.org": 4,
    }


def test_apply_drops_the_old_ones_after_a_week(system, monkeypatch):
    system.up("alice")
    dkim.rotate(system.process())
    installation.apply(system.process())
    assert len(dkim.views(system.process())) == 8
    monkeypatch.setattr(signing, "now", lambda: now() + timedelta(days=7))
    installation.apply(system.process())
    assert len(dkim.views(system.process())) == 4
    system.check_converged()


def test_nothing_is_rotated_while_main_is_down(system):
    system.up("alice")
    before = dkim.views(system.process())
    installation.down(system.process(), purge=False)
    with pytest.raises(MailpodError, match="not running"):
        dkim.rotate(system.process())
    assert dkim.views(system.process()) == before
