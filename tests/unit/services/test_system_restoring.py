import pytest
from tests.fakes.engine import ZONE_KEYS
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import DOMAIN, FakeSystem, counting

from mailpod.model.archive import File
from mailpod.model.backup import BackupPlan, Repository
from mailpod.model.depot import DepotError
from mailpod.model.errors import AlreadyExists, MailpodError, NotFound
from mailpod.services import accounts, aliases, backing_up, backup_care, depots, installation, planning
from mailpod.services.system_restoring import restore_system

MAIL = "home/Maildir/cur/1:2,S"


@pytest.fixture
def backed_up(system, tmp_path):
    """A system with two accounts, an alias and a deleted account, all of it in a backup."""
    system.up("alice", "bob", "carol")
    aliases.add(system.process(), "team", ("alice", "bob"))
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    files = system.world.volumes[system.world.containers["mailpod-alice"].volume].files
    files[MAIL] = File(MAIL, b"a message", 0o600, 1000)
    backing_up.back_up(system.process())
    accounts.delete(system.process(), "carol", purge=False)
    backing_up.back_up(system.process())
    return system


@pytest.fixture
def there(tmp_path, backed_up):
    """A fresh machine that reaches the same repository."""
    fresh = FakeSystem(tmp_path / "there")
    fresh.world.depots = backed_up.world.depots
    return fresh


@pytest.fixture
def given(backed_up):
    """What its operator has kept elsewhere."""
    plan = backed_up.store.backup_plan()
    return BackupPlan(key=plan.key, repository=plan.repository)


def restore(there, given, at="", step=None):
    return restore_system(there.process(step), given, at, planning.adjusted)


def test_everything_is_back(backed_up, there, given):
    system, empty = restore(there, given)
    assert (system.domain, empty) == (DOMAIN, [])
    assert [one.name for one in there.store.accounts()] == ["alice", "bob"]
    assert there.files_of(there.store.account("alice"))[MAIL] == b"a message"
    assert there.store.aliases() == backed_up.store.aliases()
    assert there.store.backup_plan() == backed_up.store.backup_plan()
    for path in ("secrets/ca_key.pem", "secrets/operator_key"):
        assert (there.folder / path).read_bytes() == (backed_up.folder / path).read_bytes()
    there.check_converged()
    accounts.undelete(there.process(), "carol")
    there.check_converged()


def test_a_repository_that_is_called_otherwise_here_is_the_same(there, given, tmp_path):
    other = str(tmp_path / "mounted")
    there.world.depots = {(other, path): one for (_, path), one in there.world.depots.items()}
    restore(there, given.model_copy(update={"repository": other}))
    assert not [line for line in backup_care.health(there.process()).problems if "alice" in line or "bob" in line]
    assert depots.former(there.process(), there.store.backup_plan(), Repository.parse(other)) == ()


@pytest.mark.parametrize("engine", ["docker", "swarm"])
def test_the_zone_has_the_keys_that_the_parent_zone_vouches_for(tmp_path, system, engine):
    system.dns = "built-in"
    _ = system.up_on_swarm() if engine == "swarm" else system.up()
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    backing_up.back_up(system.process())
    fresh = FakeSystem(tmp_path / "there")
    fresh.world.depots = system.world.depots
    restore(fresh, system.store.backup_plan())
    keys = [one.world.volumes["mailpod-dns"].files[ZONE_KEYS].content for one in (system, fresh)]
    assert keys[0] == keys[1]
    fresh.check_converged()


def test_a_backup_without_the_zones_keys_is_told(there, given):
    restore_system(there.process(), given, "", lambda system: planning.adjusted(system, dns="built-in"))
    assert any("no keys of the zone" in line for line in there.said)
    there.check_converged()


def test_a_swarm_comes_back_on_one_machine(tmp_path, system):
    system.up_on_swarm("alice")
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    backing_up.back_up(system.process())
    fresh = FakeSystem(tmp_path / "there")
    fresh.world.depots = system.world.depots
    restored, _ = restore(fresh, system.store.backup_plan())
    assert (restored.engine, fresh.store.account("alice").node, fresh.store.nodes()) == ("docker", "", [])
    fresh.check_converged()


def test_an_account_that_never_had_a_backup_is_empty_and_told(backed_up, there, given):
    accounts.create(backed_up.process(), "dave", "correct horse")
    backing_up.back_up(backed_up.process(), ("alice",))
    assert restore(there, given)[1] == ["dave"]
    there.check_converged()


def test_one_whose_backups_are_gone_is_no_such(backed_up, there, given):
    alice = backed_up.store.account("alice")
    [path] = [key for key in there.world.depots if key[1].endswith(alice.id)]
    del there.world.depots[path]
    with pytest.raises(DepotError):
        restore(there, given)
    assert there.store.find_system() is None


def damaged(there):
    for depot in there.world.depots.values():
        depot.damaged = True


def full(there):
    there.world.room = 1


@pytest.mark.parametrize(
    ("broken", "changed", "error"),
    [
        (damaged, {}, DepotError),
        (full, {}, MailpodError),
        (None, {"key": "another"}, DepotError),
        (None, {"repository": "/nowhere"}, DepotError),
    ],
)
def test_what_cannot_be_restored_is_refused_before_anything_is_touched(there, given, broken, changed, error):
    if broken:
        broken(there)
    with pytest.raises(error):
        restore(there, given.model_copy(update=changed))
    assert there.store.find_system() is None
    assert not (there.folder / "secrets").exists()
    assert not there.world.volumes


def test_of_a_time_before_the_first_there_is_none(there, given):
    with pytest.raises(NotFound):
        restore(there, given, "2020-01-01")


def test_where_there_is_a_system_it_is_refused(backed_up, tmp_path, given):
    with pytest.raises(AlreadyExists):
        restore(backed_up, given)
    other = FakeSystem(tmp_path / "other", world=backed_up.world)
    with pytest.raises(AlreadyExists, match="has an instance"):
        restore(other, given)


def test_one_that_was_killed_is_done_again_or_ended_by_apply(tmp_path, backed_up, given, monkeypatch):
    number, ended = 0, set()
    while True:
        number += 17
        fresh = FakeSystem(tmp_path / f"there{number}")
        fresh.world.depots = backed_up.world.depots
        with monkeypatch.context() as patch:
            steps = counting(patch, fresh)
            steps.die_at(number)
            try:
                restore(fresh, given, step=steps)
            except Killed:
                pass
            else:
                break
        if fresh.store.find_system():
            installation.apply(fresh.process())
            ended.add("apply")
        else:
            restore(fresh, given)
            ended.add("again")
        fresh.check_converged()
        assert fresh.files_of(fresh.store.account("alice"))[MAIL] == b"a message"
    assert ended == {"apply", "again"}


def test_one_that_fails_leaves_nothing(there, given):
    steps = Steps()
    steps.break_once("engine some of it is unpacked", MailpodError("the disk is full", "make room"))
    with pytest.raises(MailpodError, match="full"):
        restore(there, given, step=steps)
    assert not there.world.volumes
    assert restore(there, given)[1] == []
    there.check_converged()
