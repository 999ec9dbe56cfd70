import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from tests.fakes.system import signing_keys

from mailpod.model.records import now
from mailpod.services import accounts, signing
from mailpod.services.signing import Signing
from mailpod.store import Store


@pytest.fixture
def keys(tmp_path):
    return Signing(Store(tmp_path))


def test_the_two_parts_of_each_key_belong_together(keys):
    rsa, edwards = keys.keys("main").keys
    private = load_der_private_key(base64.b64decode(rsa.private), password=None)
    assert private.key_size == 2048
    assert private.public_key() == load_der_public_key(base64.b64decode(rsa.public))
    seed = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(edwards.private))
    assert seed.public_key().public_bytes_raw() == base64.b64decode(edwards.public)


def test_keys_are_made_once_and_are_their_owners_alone(keys, tmp_path):
    assert keys.keys("a1") == keys.keys("a1") == Signing(Store(tmp_path)).keys("a1")
    [path] = (tmp_path / "secrets" / "dkim").iterdir()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == ("a1.toml", 0o600)
    assert keys.keys("a1").keys[0].private != keys.keys("b1").keys[0].private


def test_who_asks_at_the_same_moment_gets_the_same_keys(keys):
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: keys.keys("a1").keys[0].public, range(4)))) == 1


def test_keys_that_have_been_made_meanwhile_are_taken(keys):
    assert keys.keys("a1", lambda: signing_keys(7)) == signing_keys(7)
    assert keys.keys("a1", lambda: signing_keys(8)) == signing_keys(7)


def test_rotated_keys_have_selectors_that_no_key_has_had(keys, monkeypatch):
    before = keys.keys("a1")
    monkeypatch.setattr(signing, "now", lambda: now() + timedelta(seconds=2))
    keys.rotate("a1")
    after = keys.keys("a1")
    assert len({key.selector for key in after.keys}) == 4
    assert (after.keys[:2], after.keys[2:]) == (after.waiting, before.keys)
    assert not {key.public for key in after.waiting} & {key.public for key in before.keys}
    assert after.signing == before.keys


def test_keys_that_have_been_replaced_before_they_were_seen_do_not_begin(keys):
    keys.keys("a1", lambda: signing_keys(1))
    keys.rotate("a1")
    keys.begin("a1", signing_keys(2).announced(signing_keys(3)).waiting)
    assert keys.keys("a1").signing == signing_keys(1).keys
    keys.begin("a1", keys.keys("a1").waiting)
    assert keys.keys("a1").signing == keys.keys("a1").keys[:2] != signing_keys(1).keys


def test_old_keys_are_forgotten_after_a_week(keys, monkeypatch):
    keys.keys("a1", lambda: signing_keys(1))
    keys.rotate("a1")
    keys.begin("a1", keys.keys("a1").waiting)
    keys.forget_old("a1")
    assert len(keys.keys("a1").keys) == 4
    monkeypatch.setattr(signing, "now", lambda: now() + timedelta(days=8))
    keys.forget_old("a1")
    assert keys.keys("a1").keys == keys.keys("a1").signing


def test_keys_that_are_forgotten_are_gone(keys, tmp_path):
    keys.keys("a1")
    keys.forget("a1")
    keys.forget("a1")
    assert not list((tmp_path / "secrets" / "dkim").iterdir())


def test_every_domain_of_the_system_has_records(system):
    context = system.up("alice", "bob").process()
    published = context.dkim_records()
    assert [record.domain for record in published] == [
        *["example.org"] * 2,
        *["alice.example.org"] * 2,
        *["bob.example.org"] * 2,
    ]
    assert len({record.selector for record in published}) == 6


def test_an_account_keeps_its_keys_until_it_is_purged(system):
    system.up("alice", "bob")
    before = system.process().dkim_records()
    accounts.delete(system.process(), "alice", purge=False)
    assert {record.domain for record in system.process().dkim_records()} == {"example.org", "bob.example.org"}
    assert "alice.example.org" not in system.tables()["rspamd/keys"]
    accounts.undelete(system.process(), "alice")
    assert system.process().dkim_records() == before
    accounts.delete(system.process(), "alice", purge=True)
    assert system.signers() == {"main", system.store.account("bob").id}
