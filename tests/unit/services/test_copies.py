"""Whose a volume is: the records say it by its name, whatever its labels are, which cannot change."""

import json
import shutil

import pytest
from tests.fakes.system import DOMAIN, PASSWORD, FakeSystem
from tests.fakes.world import Volume

from mailpod.model import layout, state_copy
from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.services import (
    accounts,
    backing_up,
    cloning,
    filing,
    freezing,
    installation,
    moving,
    purging,
    recovering,
    restoring,
)
from mailpod.services.doctor import objects
from mailpod.services.rebuilding import rebuild

MAIL = "home/Maildir/cur/1:2,S"


def prepared(system, tmp_path):
    """Alice has a message, and has been restored in her place: her record names her volume."""
    context = system.process()
    volume = context.engine.world.volumes[context.engine.world.containers["mailpod-alice"].volume]
    volume.files[MAIL] = File(MAIL, b"a message", 0o600, 1000)
    backing_up.set_up(context, str(tmp_path / "depot"), {})
    backing_up.back_up(system.process(), ("alice",))
    restoring.restore(system.process(), "alice", "")
    assert system.store.account("alice").volume
    return system


@pytest.fixture
def here(system, tmp_path):
    """On one engine."""
    return prepared(system.up("alice", "bob"), tmp_path)


@pytest.fixture
def swarm(system, tmp_path):
    """On three machines."""
    return prepared(system.up_on_swarm("alice", "bob"), tmp_path)


def volume_of(system, name):
    return layout.account_volume(system.instance, system.store.account(name))


def test_an_account_that_is_made_of_one_that_was_restored_has_a_volume_of_its_own(here):
    cloning.clone(here.process(), "alice", "second", PASSWORD)
    restoring.restore_as(here.process(), "alice", "third", "")
    for name in ("second", "third"):
        there = here.store.account(name)
        assert volume_of(here, name) == f"mailpod-{name}-{there.id}"
        assert MAIL in here.files_of(there)
        accounts.delete(here.process(), name, purge=True)
    assert MAIL in here.files_of(here.store.account("alice"))
    here.check_converged()


def test_one_that_was_restored_goes_to_another_system_and_back(here, tmp_path):
    there = FakeSystem(tmp_path / "there").up("carol")
    for number, (source, target) in enumerate(((here, there), (there, here))):
        filing.to_file(source.process(), "alice", tmp_path / str(number), keep=False)
        taken = filing.from_file(target.process(), "alice", tmp_path / str(number)).account
        assert (taken.volume, taken.was, taken.replaced) == ("", "", "")
        assert MAIL in target.files_of(taken)
        target.check_converged()


def test_what_is_made_of_an_account_is_not_destroyed_with_it_nor_it_with_that(swarm):
    cloning.clone(swarm.process(), "alice", "second", PASSWORD, node="node2")
    freezing.freeze(swarm.process(), "alice")
    accounts.delete(swarm.process(), "second", purge=True)
    assert MAIL in swarm.files_of(swarm.store.account("alice"))
    assert not [key for key in swarm.world.volumes if "second" in key]
    swarm.check_converged()


def test_a_volume_that_two_records_name_stays_until_the_last_of_them_goes(here):
    """Nothing makes such records any more."""
    twin = here.store.deleted()[0].model_copy(update={"id": "0a1b2c3d4e5f", "name": "twin"})
    here.store.save_deleted(twin)
    accounts.delete(here.process(), "twin", purge=True)
    [kept] = here.store.deleted()
    assert MAIL in here.files_of(kept)


def test_the_same_name_on_another_machine_is_another_volume(swarm):
    """As a clone had it on a Swarm once."""
    key = swarm.world.key(volume_of(swarm, "alice"), "node2")
    swarm.world.volumes[key] = swarm.world.volumes[volume_of(swarm, "alice")]
    alice = swarm.store.account("alice")
    swarm.store.save_deleted(alice.model_copy(update={"id": "0a1b2c3d4e5f", "name": "twin", "node": "node2"}))
    accounts.delete(swarm.process(), "twin", purge=True)
    assert key not in swarm.world.volumes
    assert MAIL in swarm.files_of(alice)


def test_nobody_is_told_to_remove_what_is_on_a_record(here, tmp_path):
    """The id of an account may be known no more while its first volume is another's."""
    [kept] = here.store.deleted()
    filing.to_file(here.process(), "alice", tmp_path / "file", keep=True)
    alice = here.store.account("alice")
    accounts.delete(here.process(), "alice", purge=False)
    here.store.forget_deleted(alice.id)
    back = filing.from_file(here.process(), "alice", tmp_path / "file").account
    assert back.id != alice.id
    assert MAIL in here.files_of(kept)


def test_a_volume_of_nobody_is_to_be_looked_at_and_removed(here, tmp_path):
    filing.to_file(here.process(), "bob", tmp_path / "file", keep=True)
    bob = here.store.account("bob")
    accounts.delete(here.process(), "bob", purge=False)
    here.store.forget_deleted(bob.id)
    with pytest.raises(MailpodError, match="of which nothing is known") as refused:
        filing.from_file(here.process(), "bob", tmp_path / "file")
    assert f"docker volume rm mailpod-bob-{bob.id}" in refused.value.hint


@pytest.mark.parametrize("lost", [False, True])
def test_what_was_replaced_stays_where_it_is_when_the_account_goes(swarm, lost):
    """The restoring was killed before that was a deleted account's."""
    [kept] = swarm.store.deleted()
    swarm.store.forget_deleted(kept.id)
    alice = swarm.store.account("alice")
    swarm.store.save_account(alice.model_copy(update={"replaced": kept.volume}))
    if lost:
        moving.move(swarm.process(), "bob", "node2")
        swarm.world.say("node1", "down")
        recovering.recover(swarm.process(), "alice", "node3")
        swarm.world.say("node1", "ready")
    else:
        moving.move(swarm.process(), "alice", "node2")
    installation.apply(swarm.process())
    [aside] = swarm.store.deleted()
    assert (aside.volume, aside.node, aside.was) == (kept.volume, "node1", alice.id)
    swarm.check_converged()


def without_was(account):
    """As mailpod has written it before."""
    return account.model_copy(update={"was": ""})


@pytest.mark.parametrize("wrote", [lambda account: account, without_was])
def test_a_purge_destroys_what_restorings_have_replaced_and_says_so(here, wrote):
    restoring.restore(here.process(), "alice", "")
    kept = here.store.deleted()
    for one in kept:
        here.store.save_deleted(wrote(one))
    gone = accounts.delete(here.process(), "alice", purge=True)
    assert {one.id for one in gone} > {one.id for one in kept}
    assert gone[-1].name == "alice"
    [told] = [line for line in here.said if line.startswith("deleting alice")]
    assert all(one.name in told for one in kept)
    assert not [key for key in here.world.volumes if "alice" in key]
    assert not here.store.deleted()
    assert purging.prove(here.process(), gone).clean
    here.check_converged()


def test_what_was_brought_back_is_an_account_and_is_told(here):
    """Of its own, whatever the label of its volume is; what has replaced it goes with the account that it was of."""
    [kept] = here.store.deleted()
    accounts.undelete(here.process(), kept.name)
    gone = accounts.delete(here.process(), "alice", purge=True)
    proof = purging.prove(here.process(), gone)
    assert proof.clean
    assert any(kept.name in line and "account show" in line for line in proof.beyond)
    assert MAIL in here.files_of(here.store.account(kept.name))
    assert findings(here) == []
    last = accounts.delete(here.process(), kept.name, purge=True)
    assert purging.prove(here.process(), last).clean
    assert not [key for key in here.world.volumes if "alice" in key]
    here.check_converged()


def test_what_was_brought_back_and_restored_itself_goes_too(here, tmp_path):
    [kept] = here.store.deleted()
    accounts.undelete(here.process(), kept.name)
    backing_up.back_up(here.process(), (kept.name,))
    restoring.restore(here.process(), kept.name, "")
    accounts.delete(here.process(), kept.name, purge=False)
    assert len(accounts.delete(here.process(), "alice", purge=True)) == 3
    assert not [key for key in here.world.volumes if "alice" in key]
    here.check_converged()


def test_a_purge_sees_a_volume_that_is_left_whatever_its_label(here):
    [kept] = here.store.deleted()
    volume = here.world.volumes[kept.volume]
    gone = accounts.delete(here.process(), kept.name, purge=True)
    here.world.volumes[kept.volume] = volume
    assert not purging.prove(here.process(), gone).clean


def findings(system):
    return objects.volumes(system.process())


def test_the_doctor_finds_nothing_wrong_with_what_was_replaced(here):
    assert findings(here) == []


def test_a_rebuild_puts_nothing_on_record_a_second_time(here):
    before = here.store.accounts(), here.store.deleted()
    done = rebuild(here.process(), None)
    assert (done.accounts, done.deleted) == ([], [])
    assert (here.store.accounts(), here.store.deleted()) == before
    shutil.rmtree(here.folder)
    rebuild(here.process(), None)
    assert [one.volume for one in here.store.accounts()] == [one.volume for one in before[0]]
    assert here.store.deleted() == before[1]
    here.check_converged()


def test_a_volume_that_lost_its_record_is_what_an_account_was(here):
    [kept] = here.store.deleted()
    here.store.forget_deleted(kept.id)
    [finding] = findings(here)
    assert finding.where == kept.volume
    done = rebuild(here.process(), None)
    [back] = here.store.deleted()
    assert (back.volume, back.was, done.accounts) == (kept.volume, here.store.account("alice").id, [])
    assert findings(here) == []
    here.check_converged()


def test_without_any_record_the_newest_volume_that_was_in_use_is_the_account(here):
    """An older one is what it was; so is one that a restoring has begun to fill."""
    alice = here.store.account("alice")
    [kept] = here.store.deleted()
    # As its init has.
    del here.world.volumes[alice.volume].files[layout.RESTORED]
    begun = layout.another_volume("mailpod", alice)
    here.world.volumes[begun] = Volume(here.world.volumes[alice.volume].labels)
    here.world.volumes[begun].files[layout.RESTORED] = File(layout.RESTORED, b"", 0o600)
    del here.world.volumes["mailpod-main"].files[f"etc/tables/{state_copy.TABLE}"]
    shutil.rmtree(here.folder)
    rebuild(here.process(), DOMAIN)
    there = here.store.account("alice")
    assert (there.id, there.volume) == (alice.id, alice.volume)
    assert {one.volume for one in here.store.deleted()} == {kept.volume, begun}
    here.check_converged()


def test_an_account_cannot_say_whose_volume_it_has(here):
    """Who is root in it writes what its own record says."""
    bob = volume_of(here, "bob")
    files = here.world.volumes[volume_of(here, "alice")].files
    record = json.loads(files[layout.ACCOUNT_RECORD].content)
    forged = json.dumps(record | {"volume": bob, "replaced": bob, "was": here.store.account("bob").id})
    del here.world.volumes["mailpod-main"].files[f"etc/tables/{state_copy.TABLE}"]
    shutil.rmtree(here.folder)
    files[layout.ACCOUNT_RECORD] = File(layout.ACCOUNT_RECORD, forged.encode())
    rebuild(here.process(), DOMAIN)
    alice = here.store.account("alice")
    assert bob not in {alice.volume, alice.replaced}
    assert alice.was == ""
