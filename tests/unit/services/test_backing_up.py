import io
import tarfile
from dataclasses import replace

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import counting

from mailpod.model.backup import SYSTEM
from mailpod.model.depot import DepotError
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.services import (
    backing_up,
    depots,
    freezing,
    snapshots,
)


def test_accounts_and_the_state_folder_are_backed_up(backed_up):
    done = backing_up.back_up(backed_up.process())
    assert set(done) == {"alice", "bob", SYSTEM}
    assert all(one.taken and not one.problem for one in done.values())
    assert set(snapshots.listed(backed_up.process())) == {"alice", "bob", SYSTEM}
    backed_up.check_converged()


def test_some_accounts_and_the_state_folder_all_the_same(backed_up):
    assert set(backing_up.back_up(backed_up.process(), ("Alice",))) == {"alice", SYSTEM}
    assert (backed_up.backups_of("alice"), backed_up.backups_of("bob")) == (1, 0)
    with pytest.raises(NotFound):
        backing_up.back_up(backed_up.process(), ("nobody",))


def test_the_state_folder_goes_whole_and_without_what_is_the_machines(backed_up):
    with tarfile.open(fileobj=io.BytesIO(backing_up.state(backed_up.process()))) as archive:
        names = set(archive.getnames())
    assert {"system.toml", "accounts/alice.toml", "secrets/ca_key.pem", "secrets/backup.toml"} <= names
    assert not names & {"compose.env", "tended.toml", ".lock"}


def test_one_that_runs_lays_out_what_is_read_and_takes_it_away_again(backed_up):
    steps = Steps()
    backing_up.back_up(backed_up.process(steps), ("alice",))
    own = [step for step in steps.taken if "-snapshot" in step or "repository" in step or "is there" in step]
    assert own[:3] == [
        "channel alice take-snapshot",
        "engine half of it is in the repository",
        "engine the snapshot is there",
    ]
    assert "channel alice drop-snapshot" in own


def test_one_that_does_not_run_is_read_as_it_is(backed_up):
    freezing.freeze(backed_up.process(), "alice")
    steps = Steps()
    backing_up.back_up(backed_up.process(steps), ("alice",))
    assert "channel alice take-snapshot" not in steps.taken
    assert backed_up.backups_of("alice") == 1


def test_one_that_fails_keeps_no_other_from_it(backed_up):
    steps = Steps()
    steps.break_down("channel alice take-snapshot", MailpodError("alice hangs", "see"))
    with pytest.raises(MailpodError, match="no backup of alice: alice hangs"):
        backing_up.back_up(backed_up.process(steps))
    assert (backed_up.backups_of("alice"), backed_up.backups_of("bob")) == (0, 1)
    assert backed_up.store.backed(backed_up.id_of("alice")).problem == "alice hangs"
    backing_up.back_up(backed_up.process())
    assert not backed_up.store.backed(backed_up.id_of("alice")).problem


def test_another_key_is_refused(backed_up, tmp_path):
    plan = backed_up.store.backup_plan()
    backed_up.store.save_backup_plan(plan.model_copy(update={"key": "another"}))
    with pytest.raises(DepotError) as refused:
        backing_up.set_up(backed_up.process(), str(tmp_path / "depot"), {})
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("repository", ["nowhere", "s3:https://s3.example/mail", "/no/such/parent"])
def test_what_cannot_be_a_repository_is_refused_before_anything_is_touched(backed_up, repository):
    before = backed_up.state()
    with pytest.raises(InvalidInput):
        backing_up.set_up(backed_up.process(), repository, {})
    assert backed_up.state().folder == before.folder


@pytest.mark.parametrize(
    ("repository", "hint"),
    [
        ("s3:https://s3.example/mail", "see that https://s3.example can be reached, and what these keys may do there"),
        ("sftp:backup@nas.example:/mail", "let this key in at nas.example, as backup: ssh-ed25519 "),
    ],
)
def test_one_that_lets_nobody_in_is_not_taken_and_what_could_is_said(backed_up, monkeypatch, repository, hint):
    monkeypatch.setattr(depots, "host_keys", lambda where: f"{where.host} ssh-ed25519 AAAA\n")
    before = backed_up.store.backup_plan().repository
    steps = Steps()
    steps.break_down("engine at_depot snapshots", DepotError("access denied", "see that it can be reached", 1))
    with pytest.raises(MailpodError, match="access denied") as refused:
        backing_up.set_up(backed_up.process(steps), repository, {"s3_id": "id", "s3_secret": "secret"})
    assert refused.value.hint.startswith(hint)
    assert backed_up.store.backup_plan().repository == before


def test_another_host_key_holds_once_that_is_said_again(backed_up, monkeypatch):
    repository, said = "sftp:backup@nas.example:/mail", []
    for key in ("AAAA", "BBBB", "BBBB"):
        monkeypatch.setattr(depots, "host_keys", lambda where, key=key: f"{where.host} ssh-ed25519 {key}\n")
        context = replace(backed_up.process(), progress=said.append)
        plan = backing_up.set_up(context, repository, {})
        assert key in plan.host_keys
    assert [line for line in said if "host keys" in line] == [
        "nas.example has other host keys than before; these hold from now on"
    ]


def test_not_into_the_state_folder(backed_up):
    with pytest.raises(InvalidInput, match="in the state folder"):
        backing_up.set_up(backed_up.process(), str(backed_up.folder / "backup"), {})


def test_killed_anywhere_it_can_be_done_again_and_nothing_is_left(backed_up, monkeypatch):
    number = 0
    while True:
        number += 5
        with monkeypatch.context() as patch:
            steps = counting(patch, backed_up)
            steps.die_at(number)
            try:
                backing_up.back_up(backed_up.process(steps), ("alice",))
            except Killed:
                pass
            else:
                break
        backing_up.back_up(backed_up.process(), ("alice",))
        assert not backed_up.world.helpers
    assert number > 10
    backed_up.check_converged()
