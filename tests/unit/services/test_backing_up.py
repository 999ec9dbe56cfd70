import io
import tarfile
from datetime import timedelta

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import counting

from mailpod.model.backup import SYSTEM
from mailpod.model.depot import LOCKED, DepotError
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import now
from mailpod.services import (
    accounts,
    backing_up,
    backup_care,
    depots,
    freezing,
    installation,
    purging,
    snapshots,
)
from mailpod.services.channel import ChannelClosed


@pytest.fixture
def here(system, tmp_path):
    """A system with two accounts, whose backups go to a folder."""
    system.up("alice", "bob")
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    return system


def element(here, name):
    return here.store.account(name).id


def taken(here, name):
    return len(snapshots.of(here.process(), element(here, name)))


def grow_older(here, hours):
    for name in (SYSTEM, *(one.id for one in here.store.accounts())):
        backed = here.store.backed(name)
        checked = backed.checked and backed.checked - timedelta(hours=hours)
        older = {"taken": backed.taken - timedelta(hours=hours), "checked": checked}
        here.store.save_backed(name, backed.model_copy(update=older))


def test_accounts_and_the_state_folder_are_backed_up(here):
    done = backing_up.back_up(here.process())
    assert set(done) == {"alice", "bob", SYSTEM}
    assert all(one.taken and not one.problem for one in done.values())
    assert set(snapshots.listed(here.process())) == {"alice", "bob", SYSTEM}
    here.check_converged()


def test_some_accounts_and_the_state_folder_all_the_same(here):
    assert set(backing_up.back_up(here.process(), ("Alice",))) == {"alice", SYSTEM}
    assert (taken(here, "alice"), taken(here, "bob")) == (1, 0)
    with pytest.raises(NotFound):
        backing_up.back_up(here.process(), ("nobody",))


def test_the_state_folder_goes_whole_and_without_what_is_the_machines(here):
    with tarfile.open(fileobj=io.BytesIO(backing_up.state(here.process()))) as archive:
        names = set(archive.getnames())
    assert {"system.toml", "accounts/alice.toml", "secrets/ca_key.pem", "secrets/backup.toml"} <= names
    assert not names & {"compose.env", "tended.toml", ".lock"}


def test_one_that_runs_lays_out_what_is_read_and_takes_it_away_again(here):
    steps = Steps()
    backing_up.back_up(here.process(steps), ("alice",))
    own = [step for step in steps.taken if "snapshot" in step or "in the repository" in step]
    assert own[:3] == [
        "channel alice take-snapshot",
        "engine half of it is in the repository",
        "engine the snapshot is there",
    ]
    assert "channel alice drop-snapshot" in own


def test_one_that_does_not_run_is_read_as_it_is(here):
    freezing.freeze(here.process(), "alice")
    steps = Steps()
    backing_up.back_up(here.process(steps), ("alice",))
    assert "channel alice take-snapshot" not in steps.taken
    assert taken(here, "alice") == 1


def test_one_that_fails_keeps_no_other_from_it(here):
    steps = Steps()
    steps.break_down("channel alice take-snapshot", MailpodError("alice hangs", "see"))
    with pytest.raises(MailpodError, match="no backup of alice: alice hangs"):
        backing_up.back_up(here.process(steps))
    assert (taken(here, "alice"), taken(here, "bob")) == (0, 1)
    assert here.store.backed(element(here, "alice")).problem == "alice hangs"
    backing_up.back_up(here.process())
    assert not here.store.backed(element(here, "alice")).problem


def test_a_lock_of_one_that_was_killed_is_done_away_with(here):
    backing_up.back_up(here.process())
    steps = Steps()
    steps.break_once("engine half of it", DepotError("the repository is locked", "see", LOCKED))
    backing_up.back_up(here.process(steps), ("alice",))
    assert "engine at_depot unlock" in steps.taken
    assert taken(here, "alice") == 2


def test_another_key_is_refused(here, tmp_path):
    plan = here.store.backup_plan()
    here.store.save_backup_plan(plan.model_copy(update={"key": "another"}))
    with pytest.raises(DepotError) as refused:
        backing_up.set_up(here.process(), str(tmp_path / "depot"), {})
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("repository", ["nowhere", "s3:https://s3.example/mail", "/no/such/parent"])
def test_what_cannot_be_a_repository_is_refused_before_anything_is_touched(here, repository):
    before = here.state()
    with pytest.raises(InvalidInput):
        backing_up.set_up(here.process(), repository, {})
    assert here.state().folder == before.folder


@pytest.mark.parametrize(
    ("repository", "hint"),
    [
        ("s3:https://s3.example/mail", "see that https://s3.example can be reached, and what these keys may do there"),
        ("sftp:backup@nas.example:/mail", "let this key in at nas.example, as backup: ssh-ed25519 "),
    ],
)
def test_one_that_lets_nobody_in_is_not_taken_and_what_could_is_said(here, monkeypatch, repository, hint):
    monkeypatch.setattr(depots, "host_keys", lambda where: f"{where.host} ssh-ed25519 AAAA\n")
    before = here.store.backup_plan().repository
    steps = Steps()
    steps.break_down("engine at_depot snapshots", DepotError("access denied", "see that it can be reached", 1))
    with pytest.raises(MailpodError, match="access denied") as refused:
        backing_up.set_up(here.process(steps), repository, {"s3_id": "id", "s3_secret": "secret"})
    assert refused.value.hint.startswith(hint)
    assert here.store.backup_plan().repository == before


def test_not_into_the_state_folder(here):
    with pytest.raises(InvalidInput, match="in the state folder"):
        backing_up.set_up(here.process(), str(here.folder / "backup"), {})


def test_killed_anywhere_it_can_be_done_again_and_nothing_is_left(here, monkeypatch):
    number = 0
    while True:
        number += 5
        with monkeypatch.context() as patch:
            steps = counting(patch, here)
            steps.die_at(number)
            try:
                backing_up.back_up(here.process(steps), ("alice",))
            except Killed:
                pass
            else:
                break
        backing_up.back_up(here.process(), ("alice",))
        assert not here.world.helpers
    assert number > 10
    here.check_converged()


def test_they_are_made_when_they_are_due(here):
    backup_care.care(here.process())
    backup_care.care(here.process())
    assert taken(here, "alice") == 1
    grow_older(here, 24)
    backup_care.care(here.process())
    assert taken(here, "alice") == 2
    [depot] = [one for (_, path), one in here.world.depots.items() if path.endswith(element(here, "alice"))]
    assert depot.kept[-1] == ["--keep-daily", "14", "--keep-weekly", "8", "--keep-monthly", "12"]


def test_nothing_is_made_before_it_is_said_where_they_go(system):
    system.up("alice")
    backup_care.care(system.process())
    assert backup_care.health(system.process()).problems == ("no backup is set up: mailpod backup to REPOSITORY",)
    with pytest.raises(NotFound):
        backing_up.back_up(system.process())


def test_they_are_found_whole_once_a_week_another_part_each_time(here):
    backup_care.care(here.process())
    assert here.store.backed(SYSTEM).checks == 1
    backup_care.care(here.process())
    assert here.store.backed(SYSTEM).checks == 1
    grow_older(here, 24 * 8)
    backup_care.care(here.process())
    assert here.store.backed(SYSTEM).checks == 2


def test_a_damaged_one_is_told_until_it_is_whole(here):
    backing_up.back_up(here.process())
    for depot in here.world.depots.values():
        depot.damaged = True
    with pytest.raises(DepotError):
        backup_care.check_all(here.process(), ("alice",))
    backing_up.back_up(here.process())
    assert any("alice are damaged" in line for line in backup_care.health(here.process()).problems)
    for depot in here.world.depots.values():
        depot.damaged = False
    backup_care.check_all(here.process(), ())
    assert not backup_care.health(here.process()).problems


def test_one_that_is_too_old_is_told(here):
    backing_up.back_up(here.process())
    health = backup_care.health(here.process())
    assert (health.problems, health.oldest is not None) == ((), True)
    grow_older(here, 49)
    problems = backup_care.health(here.process()).problems
    assert [line.partition(" was on")[0] for line in problems] == [
        "the last good backup of alice",
        "the last good backup of bob",
        "the last good backup of keys and the desired state",
    ]


def test_a_new_account_has_time_until_its_first(here):
    backing_up.back_up(here.process())
    accounts.create(here.process(), "carol", "correct horse")
    assert not backup_care.health(here.process()).problems
    carol = here.store.account("carol")
    here.store.save_account(carol.model_copy(update={"created": now() - timedelta(days=3)}))
    assert "carol has never been" in backup_care.health(here.process()).problems[0]


def test_a_purge_destroys_the_backups_too(here):
    backing_up.back_up(here.process())
    alice = element(here, "alice")
    accounts.delete(here.process(), "alice", purge=True)
    assert not [path for _, path in here.world.depots if path.endswith(alice)]
    assert not here.store.backed(alice).taken
    here.check_converged()


def test_a_purge_whose_backups_cannot_be_reached_ends_later(here):
    backing_up.back_up(here.process())
    steps = Steps()
    steps.break_down("engine at_depot purge", MailpodError("no way there", "see"))
    accounts.delete(here.process(steps), "alice", purge=True)
    assert [one.purge for one in here.store.deleted()] == [True]
    installation.apply(here.process())
    assert not here.store.deleted()
    assert len(here.world.depots) == 2
    here.check_converged()


@pytest.fixture
def moved(here, tmp_path):
    """Both accounts have a backup; then backups go to another folder."""
    backing_up.back_up(here.process())
    backing_up.set_up(here.process(), str(tmp_path / "new"), {})
    return here


def test_in_a_new_place_there_are_none_and_all_are_due(moved, tmp_path):
    health = backup_care.health(moved.process())
    assert health.oldest is None
    assert any("keys and the desired state was on" in line for line in health.problems)
    assert all(f"to {tmp_path}/depot" in line for line in health.problems)
    backup_care.care(moved.process())
    assert (taken(moved, "alice"), taken(moved, "bob")) == (1, 1)
    assert not backup_care.health(moved.process()).problems


def test_what_was_found_damaged_in_the_old_place_is_not_told_of_the_new_one(here, tmp_path):
    backing_up.back_up(here.process())
    depots.note(here.process(), here.store.backup_plan(), SYSTEM, damage="a pack is missing")
    backing_up.set_up(here.process(), str(tmp_path / "new"), {})
    backing_up.back_up(here.process())
    assert not backup_care.health(here.process()).problems


def test_the_same_place_in_other_words_is_no_other(here, tmp_path):
    backing_up.back_up(here.process())
    plan = backing_up.set_up(here.process(), f"{tmp_path}/depot/", {"every": 12})
    assert (plan.former, plan.every) == ((), 12)
    assert not backup_care.health(here.process()).problems


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


def test_a_new_key_does_not_hide_the_old_place(here, tmp_path):
    backing_up.back_up(here.process())
    (here.store.secrets / "backup.toml").unlink()
    assert backing_up.set_up(here.process(), str(tmp_path / "new"), {}).former == (str(tmp_path / "depot"),)


def test_a_purge_ends_in_a_new_place_and_names_the_old_one(moved, tmp_path):
    alice = element(moved, "alice")
    gone = accounts.delete(moved.process(), "alice", purge=True)
    proof = purging.prove(moved.process(), gone)
    assert proof.clean
    assert any(f"{alice}, {SYSTEM} of {tmp_path}/depot" in line for line in proof.beyond)
    moved.check_converged()


def test_a_purge_ends_without_a_plan(here):
    backing_up.back_up(here.process())
    (here.store.secrets / "backup.toml").unlink()
    gone = accounts.delete(here.process(), "alice", purge=True)
    assert purging.prove(here.process(), gone).clean


def test_a_purge_ends_where_the_first_backup_failed(here):
    steps = Steps()
    steps.break_down("engine half of it", MailpodError("no way there", "see"))
    with pytest.raises(MailpodError):
        backing_up.back_up(here.process(steps), ("alice",))
    gone = accounts.delete(here.process(), "alice", purge=True)
    assert purging.prove(here.process(), gone).clean


def test_a_purge_waits_for_a_place_that_is_not_there_at_all(here):
    backing_up.back_up(here.process())
    mounted, here.world.depots = here.world.depots, {}
    accounts.delete(here.process(), "alice", purge=True)
    assert [one.purge for one in here.store.deleted()] == [True]
    here.world.depots = mounted
    installation.apply(here.process())
    assert not here.store.deleted()
    assert len(mounted) == 2


def meanwhile(monkeypatch, context, element, act):
    """Let another command do something while the backups of one element are checked."""
    real = context.engine.at_depot

    def at_depot(depot, words, given=()):
        if (depot.element, words[0]) == (element, "check"):
            act()
        return real(depot, words, given)

    monkeypatch.setattr(context.engine, "at_depot", at_depot)


def test_a_backup_of_another_while_one_is_checked_stays_on_record(here, monkeypatch):
    backing_up.back_up(here.process())
    context = here.process()
    alice = element(here, "alice")
    meanwhile(
        monkeypatch,
        context,
        alice,
        lambda: depots.note(here.process(), here.store.backup_plan(), alice, snapshot="newer"),
    )
    backup_care.check_all(context, ("alice",))
    assert (here.store.backed(alice).snapshot, here.store.backed(alice).checks) == ("newer", 1)


def test_none_is_made_nor_removed_while_one_is_checked(here, monkeypatch):
    backing_up.back_up(here.process())
    context = here.process()
    said = []

    def busy():
        with pytest.raises(MailpodError) as refused, backing_up.alone(here.process(), element(here, "alice")):
            said.append("it was not alone")
        said.append(refused.value.what)

    meanwhile(monkeypatch, context, element(here, "alice"), busy)
    backup_care.check_all(context, ("alice",))
    assert said[0] == "another command works on alice"
    assert not here.store.backed(element(here, "alice")).damage


def test_a_purge_leaves_the_backups_for_their_time_when_that_is_asked(here, monkeypatch):
    backing_up.back_up(here.process())
    alice = element(here, "alice")
    steps = Steps()
    steps.break_once("channel main forget", ChannelClosed("main cannot be reached"))
    gone = accounts.delete(here.process(steps), "alice", purge=True, keep_backups=True)
    installation.apply(here.process())
    assert not here.store.deleted()
    until = here.store.backed(alice).until
    assert until - now() > timedelta(days=371)
    proof = purging.prove(here.process(), gone)
    assert proof.clean
    where = here.store.backup_plan().repository
    assert f"its backups, as was asked: {alice} in {where}, until {until:%Y-%m-%d}" in proof.beyond
    backup_care.care(here.process())
    assert len(snapshots.of(here.process(), alice)) == 1
    monkeypatch.setattr(backup_care, "now", lambda: until)
    backup_care.care(here.process())
    assert not [path for _, path in here.world.depots if path.endswith(alice)]
    assert not here.store.traces(alice)
    here.check_converged()


def test_backups_that_there_are_none_of_cannot_be_kept(here):
    before = here.state()
    with pytest.raises(InvalidInput, match="no backup of alice"):
        accounts.delete(here.process(), "alice", purge=True, keep_backups=True)
    assert here.state() == before


def test_keys_in_backups_of_the_desired_state_are_told_of(here):
    gone = accounts.delete(here.process(), "bob", purge=True)
    assert not [line for line in purging.prove(here.process(), gone).beyond if "keys" in line]
    backing_up.back_up(here.process())
    gone = accounts.delete(here.process(), "alice", purge=True)
    [told] = [line for line in purging.prove(here.process(), gone).beyond if "keys" in line]
    assert f"{now() + timedelta(days=31 * 12):%Y-%m-%d}" in told
