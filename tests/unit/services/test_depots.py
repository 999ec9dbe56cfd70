from datetime import timedelta

import pytest
from tests.fakes.steps import Steps

from mailpod.model.backup import SYSTEM
from mailpod.model.depot import LOCKED, LOCKS, DepotError
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import now
from mailpod.services import (
    accounts,
    backing_up,
    backup_care,
    depots,
    installation,
    purging,
    snapshots,
)
from mailpod.services.channel import ChannelClosed


def test_a_lock_of_one_that_was_killed_is_done_away_with(backed_up):
    backing_up.back_up(backed_up.process())
    steps = Steps()
    steps.break_once("engine half of it", DepotError("the repository is locked", "see", LOCKED))
    backing_up.back_up(backed_up.process(steps), ("alice",))
    assert "engine at_depot unlock" in steps.taken
    assert backed_up.backups_of("alice") == 2


def test_a_purge_destroys_the_backups_too(backed_up):
    backing_up.back_up(backed_up.process())
    alice = backed_up.id_of("alice")
    accounts.delete(backed_up.process(), "alice", purge=True)
    assert not [path for _, path in backed_up.world.depots if path.endswith(alice)]
    assert not backed_up.store.backed(alice).taken
    backed_up.check_converged()


def test_a_purge_whose_backups_cannot_be_reached_ends_later(backed_up):
    backing_up.back_up(backed_up.process())
    steps = Steps()
    steps.break_down("engine at_depot purge", MailpodError("no way there", "see"))
    accounts.delete(backed_up.process(steps), "alice", purge=True)
    assert [one.purge for one in backed_up.store.deleted()] == [True]
    installation.apply(backed_up.process())
    assert not backed_up.store.deleted()
    assert len(backed_up.world.depots) == 2
    backed_up.check_converged()


@pytest.fixture
def moved(backed_up, tmp_path):
    """Both accounts have a backup; then backups go to another folder."""
    backing_up.back_up(backed_up.process())
    backing_up.set_up(backed_up.process(), str(tmp_path / "new"), {})
    return backed_up


def test_in_a_new_place_there_are_none_and_all_are_due(moved, tmp_path):
    health = backup_care.health(moved.process())
    assert health.oldest is None
    assert any("keys and the desired state was on" in line for line in health.problems)
    assert all(f"to {tmp_path}/depot" in line for line in health.problems)
    backup_care.care(moved.process())
    assert (moved.backups_of("alice"), moved.backups_of("bob")) == (1, 1)
    assert not backup_care.health(moved.process()).problems


def test_what_was_found_damaged_in_the_old_place_is_not_told_of_the_new_one(backed_up, tmp_path):
    backing_up.back_up(backed_up.process())
    depots.note(backed_up.process(), backed_up.store.backup_plan(), SYSTEM, damage="a pack is missing")
    backing_up.set_up(backed_up.process(), str(tmp_path / "new"), {})
    backing_up.back_up(backed_up.process())
    assert not backup_care.health(backed_up.process()).problems


def test_the_same_place_in_other_words_is_no_other(backed_up, tmp_path):
    backing_up.back_up(backed_up.process())
    plan = backing_up.set_up(backed_up.process(), f"{tmp_path}/depot/", {"every": 12})
    assert (plan.former, plan.every) == ((), 12)
    assert not backup_care.health(backed_up.process()).problems


def test_the_old_place_is_told_until_somebody_says_that_nothing_is_left(moved, tmp_path):
    old = str(tmp_path / "depot")
    assert moved.store.backup_plan().former == (old,)
    with pytest.raises(NotFound):
        depots.forget_former(moved.process(), str(tmp_path / "new"))
    depots.forget_former(moved.process(), f"{old}/")
    assert backing_up.set_up(moved.process(), str(tmp_path / "new"), {}).former == ()


def test_back_in_the_old_place_what_was_backed_up_there_counts(moved, tmp_path):
    assert backing_up.set_up(moved.process(), str(tmp_path / "depot"), {}).former == (str(tmp_path / "new"),)
    assert not backup_care.health(moved.process()).problems


def test_a_new_key_does_not_hide_the_old_place(backed_up, tmp_path):
    backing_up.back_up(backed_up.process())
    (backed_up.store.secrets / "backup.toml").unlink()
    assert backing_up.set_up(backed_up.process(), str(tmp_path / "new"), {}).former == (str(tmp_path / "depot"),)


def test_a_purge_ends_in_a_new_place_and_names_the_old_one(moved, tmp_path):
    alice = moved.id_of("alice")
    gone = accounts.delete(moved.process(), "alice", purge=True)
    proof = purging.prove(moved.process(), gone)
    assert proof.clean
    assert any(f"{alice}, {SYSTEM} of {tmp_path}/depot" in line for line in proof.beyond)
    moved.check_converged()


def test_a_purge_ends_without_a_plan(backed_up):
    backing_up.back_up(backed_up.process())
    (backed_up.store.secrets / "backup.toml").unlink()
    gone = accounts.delete(backed_up.process(), "alice", purge=True)
    assert purging.prove(backed_up.process(), gone).clean


def test_a_purge_ends_where_the_first_backup_failed(backed_up):
    steps = Steps()
    steps.break_down("engine half of it", MailpodError("no way there", "see"))
    with pytest.raises(MailpodError):
        backing_up.back_up(backed_up.process(steps), ("alice",))
    gone = accounts.delete(backed_up.process(), "alice", purge=True)
    assert purging.prove(backed_up.process(), gone).clean


def test_a_purge_waits_for_a_place_that_is_not_there_at_all(backed_up):
    backing_up.back_up(backed_up.process())
    mounted, backed_up.world.depots = backed_up.world.depots, {}
    accounts.delete(backed_up.process(), "alice", purge=True)
    assert [one.purge for one in backed_up.store.deleted()] == [True]
    backed_up.world.depots = mounted
    installation.apply(backed_up.process())
    assert not backed_up.store.deleted()
    assert len(mounted) == 2


def test_a_purge_leaves_the_backups_for_their_time_when_that_is_asked(backed_up, monkeypatch):
    backing_up.back_up(backed_up.process())
    alice = backed_up.id_of("alice")
    steps = Steps()
    steps.break_once("channel main forget", ChannelClosed("main cannot be reached"))
    gone = accounts.delete(backed_up.process(steps), "alice", purge=True, keep_backups=True)
    installation.apply(backed_up.process())
    assert not backed_up.store.deleted()
    until = backed_up.store.backed(alice).until
    assert until - now() > timedelta(days=371)
    proof = purging.prove(backed_up.process(), gone)
    assert proof.clean
    where = backed_up.store.backup_plan().repository
    assert f"its backups, as was asked: {alice} in {where}, until {until:%Y-%m-%d}" in proof.beyond
    backup_care.care(backed_up.process())
    assert len(snapshots.of(backed_up.process(), alice)) == 1
    monkeypatch.setattr(backup_care, "now", lambda: until)
    backup_care.care(backed_up.process())
    assert not [path for _, path in backed_up.world.depots if path.endswith(alice)]
    assert not backed_up.store.traces(alice)
    backed_up.check_converged()


def test_backups_that_there_are_none_of_cannot_be_kept(backed_up):
    before = backed_up.state()
    with pytest.raises(InvalidInput, match="no backup of alice"):
        accounts.delete(backed_up.process(), "alice", purge=True, keep_backups=True)
    assert backed_up.state() == before


def test_keys_in_backups_of_the_desired_state_are_told_of(backed_up):
    gone = accounts.delete(backed_up.process(), "bob", purge=True)
    assert not [line for line in purging.prove(backed_up.process(), gone).beyond if "keys" in line]
    backing_up.back_up(backed_up.process())
    gone = accounts.delete(backed_up.process(), "alice", purge=True)
    [told] = [line for line in purging.prove(backed_up.process(), gone).beyond if "keys" in line]
    assert f"{now() + timedelta(days=31 * 12):%Y-%m-%d}" in told


def test_where_nothing_is_there_any_more_no_backup_is_begun_beside_it(backed_up, tmp_path):
    """As where the disk is not mounted."""
    backing_up.back_up(backed_up.process(), ("alice",))
    mounted, backed_up.world.depots = backed_up.world.depots, {}
    for name in ("alice", "bob"):
        with pytest.raises(MailpodError, match=f"no backup of {name} .* in {tmp_path}/depot any more") as refused:
            backing_up.back_up(backed_up.process(), (name,))
        assert refused.value.hint.startswith("see that its disk is mounted")
    assert not backed_up.world.depots
    backed_up.world.depots = mounted
    backing_up.back_up(backed_up.process())
    assert (backed_up.backups_of("alice"), backed_up.backups_of("bob")) == (2, 1)


def test_what_is_lost_is_begun_anew_when_that_is_asked(backed_up, tmp_path):
    backing_up.back_up(backed_up.process())
    backed_up.world.depots = {}
    backing_up.set_up(backed_up.process(), str(tmp_path / "depot"), {})
    assert backup_care.health(backed_up.process()).oldest is None
    backing_up.back_up(backed_up.process())
    assert not backup_care.health(backed_up.process()).problems


def test_one_that_alone_is_not_there_any_more_is_begun_anew(backed_up):
    backing_up.back_up(backed_up.process())
    alice = backed_up.id_of("alice")
    kept = {key: depot for key, depot in backed_up.world.depots.items() if not key[1].endswith(alice)}
    backed_up.world.depots = kept
    backing_up.back_up(backed_up.process())
    assert (backed_up.backups_of("alice"), backed_up.backups_of("bob")) == (1, 2)


@pytest.mark.parametrize("there_for", LOCKS)
def test_what_a_killed_command_left_beside_a_repository_ends_unless_another_is_at_work(backed_up, there_for):
    backed_up.world.helpers = [there_for]
    with backed_up.store.lock(LOCKS[there_for]):
        installation.apply(backed_up.process())
    assert backed_up.world.helpers == [there_for]
    installation.apply(backed_up.process())
    assert not backed_up.world.helpers


def test_what_a_killed_backup_of_the_state_folder_left_ends_before_the_next(backed_up):
    backed_up.world.helpers = [SYSTEM]
    steps = Steps()
    backing_up.back_up(backed_up.process(steps), ("alice",))
    assert not backed_up.world.helpers
    assert steps.taken.index("engine remove_helpers") < steps.taken.index("engine at_depot save")
