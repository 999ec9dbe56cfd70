"""A state folder that is lost, written anew from the volumes."""

import shutil
from contextlib import suppress
from itertools import count

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import DOMAIN, counting

from mailpod.model import layout, state_copy
from mailpod.model.errors import InvalidInput, NotFound
from mailpod.services import accounts, aliases, dns, freezing, installation, signing
from mailpod.services.channel import Refused
from mailpod.services.rebuilding import rebuild


@pytest.fixture
def ready(system):
    """Accounts of every kind, an alias, and a record of the operator's own."""
    system.up("alice", "bob", "cold", "gone")
    context = system.process()
    freezing.freeze(context, "cold")
    accounts.delete(context, "gone", purge=False)
    aliases.add(context, "team", ["alice", "bob"])
    accounts.change(context, "alice", memory=64 << 20)
    dns.own_file(context).parent.mkdir()
    dns.own_file(context).write_text("shop 3600 IN A 192.0.2.9\n")
    installation.apply(system.process())
    return system


def records(system):
    store = system.store
    zone = dns.own_file(system.process()).read_text()
    return store.find_system(), store.accounts(), store.deleted(), store.aliases(), zone


def lose(system):
    shutil.rmtree(system.folder)


def test_all_records_are_as_they_were(ready):
    before = records(ready)
    lose(ready)
    done = rebuild(ready.process(), None)
    assert records(ready) == before
    assert (done.accounts, done.deleted) == (["alice", "bob", "cold"], ["gone"])
    ready.check_converged()


def test_what_is_on_the_volumes_stays(ready):
    alice = ready.store.account("alice")
    before = ready.files_of(alice)
    host_key = ready.process().main_identity.ssh_host_public
    lose(ready)
    rebuild(ready.process(), None)
    after = ready.files_of(alice)
    kept = ("etc/password", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "etc/record.json")
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert after["etc/ssh/operator_keys"] != before["etc/ssh/operator_keys"]
    assert ready.process().main_identity.ssh_host_public == host_key


def test_what_could_not_be_known_is_told(ready):
    lose(ready)
    told = rebuild(ready.process(), None).unknown
    assert any("authority" in line and "mailpod ca" in line for line in told)
    # The fakes' keys are none.
    assert any(f"signing keys of alice.{DOMAIN}" in line for line in told)


def test_a_frozen_account_is_not_touched(ready):
    before = ready.world.containers["mailpod-cold"]
    lose(ready)
    rebuild(ready.process(), None)
    assert ready.world.containers["mailpod-cold"] is before
    assert before.state == "exited"


def test_apply_changes_nothing_afterwards(ready):
    lose(ready)
    rebuild(ready.process(), None)
    assert installation.apply(ready.process()) == []


def test_killed_at_any_step_it_is_ended_by_doing_it_again(system, monkeypatch):
    system.up("alice")
    before = system.store.find_system(), system.store.accounts()
    for number in count(1, 2):
        lose(system)
        with monkeypatch.context() as patched:
            steps = counting(patched, system)
            steps.die_at(number)
            with suppress(Killed):
                rebuild(system.process(steps), None)
        rebuild(system.process(), None)
        assert (system.store.find_system(), system.store.accounts()) == before
        assert {"mailpod-alice", "mailpod-main"} <= system.world.containers.keys()
        if not steps.dead:
            break
    assert number > 30
    system.check_converged()


def test_an_account_that_main_did_not_know_of_is_found_by_its_volume(ready):
    """Main's copy is older than the account: both had been lost, and main's came from a backup."""
    alice = ready.store.account("alice")
    files = ready.world.volumes["mailpod-main"].files
    lose(ready)
    rebuild(ready.process(), None)
    ready.store.forget_account(alice)
    done = rebuild(ready.process(), None)
    assert done.accounts == ["alice"]
    assert ready.store.account("alice") == alice
    assert state_copy.TABLE in {path.removeprefix("etc/tables/") for path in files}
    ready.check_converged()


def test_a_volume_without_a_container_is_a_deleted_account(ready):
    gone = ready.store.deleted()[0]
    ready.store.forget_deleted(gone.id)
    done = rebuild(ready.process(), None)
    assert (done.accounts, done.deleted) == ([], ["gone"])
    (kept,) = ready.store.deleted()
    assert (kept.id, kept.name) == (gone.id, "gone")
    assert kept.deleted


def test_an_account_whose_volume_is_gone_does_not_begin_empty(ready):
    bob = ready.store.account("bob")
    lose(ready)
    del ready.world.containers["mailpod-bob"]
    del ready.world.volumes[layout.account_volume("mailpod", bob)]
    done = rebuild(ready.process(), None)
    assert done.accounts == ["alice", "cold"]
    assert any("the mail of bob" in line for line in done.unknown)
    assert layout.account_volume("mailpod", bob) not in ready.world.volumes


def test_without_mains_copy_the_domain_is_asked_for_and_the_rest_found(ready):
    system, *_ = records(ready)
    people = {one.id: one for one in ready.store.accounts()}
    del ready.world.volumes["mailpod-main"].files[f"etc/tables/{state_copy.TABLE}"]
    lose(ready)
    with pytest.raises(InvalidInput, match="no copy"):
        rebuild(ready.process(), None)
    assert not ready.store.find_system()
    rebuild(ready.process(), DOMAIN)
    found = ready.store.find_system()
    assert (found.networks, found.ipv6_subnet) == (system.networks, system.ipv6_subnet)
    assert {one.id: one.name for one in ready.store.accounts()} == {one.id: one.name for one in people.values()}
    # That one was frozen its volume does not tell, but nothing runs on a guess.
    assert ready.store.account("cold").frozen
    assert ready.world.containers["mailpod-cold"].state == "exited"
    assert ready.store.account("alice") == people[ready.store.account("alice").id]
    ready.check_converged()


def test_another_domain_is_refused_before_anything_is_touched(ready):
    lose(ready)
    before = {name: one.state for name, one in ready.world.containers.items()}
    with pytest.raises(InvalidInput, match=DOMAIN):
        rebuild(ready.process(), "example.net")
    assert {name: one.state for name, one in ready.world.containers.items()} == before
    assert not ready.store.find_system()


def test_nothing_of_the_instance_is_there(system):
    with pytest.raises(NotFound, match="nothing of an instance"):
        rebuild(system.process(), None)


def test_keys_that_are_gone_are_new_ones_and_records_stay(ready):
    before = records(ready)
    shutil.rmtree(ready.folder / "secrets")
    rebuild(ready.process(), None)
    assert records(ready) == before
    ready.check_converged()


def test_keys_that_main_does_not_know_are_replaced(ready, monkeypatch):
    """Somebody had new ones made by another command, after the folder of keys was lost."""
    before = records(ready)
    steps = Steps()
    context = ready.process(steps)

    def refused(verb, files=()):
        context.__dict__["channel"] = ready.process().channel
        raise Refused("main cannot be reached: Permission denied (publickey)", "see: mailpod status")

    monkeypatch.setattr(context.channel, "main", refused)
    rebuild(context, None)
    assert records(ready) == before
    assert "engine remove mailpod-main" in steps.taken
    ready.check_converged()


def test_signing_keys_come_back_from_mains_table():
    made = signing.generate()
    lines = "".join(f"example.org {key.selector} {key.private}\n" for key in made.keys)
    assert signing.recovered(f"0123\n{lines}example.net rsa-1 nonsense\n") == {"example.org": made}
