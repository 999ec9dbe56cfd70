import pytest
from tests.fakes.steps import Steps

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.errors import EngineUnreachable, InvalidInput, MailpodError, NotFound
from mailpod.services import accounts, backing_up, draining, filing, installation, moving, recovering
from mailpod.services.status import status

MAIL = "home/Maildir/cur/1"


@pytest.fixture
def swarm(system, tmp_path):
    """Alice is on a machine that is down since a file was made of her."""
    system.up_on_swarm("bob")
    accounts.create(system.process(), "alice", "correct horse", node="node2")
    files = system.world.volumes[system.world.containers["mailpod-alice"].volume].files
    files[MAIL] = File(MAIL, b"a message", 0o600, 1000)
    for name in ("alice", "bob"):
        filing.to_file(system.process(), name, tmp_path / name, keep=True)
    system.world.say("node2", "down")
    return system


def recover(system, tmp_path, node="node3", step=None, file="alice"):
    return recovering.recover(system.process(step), "alice", node, tmp_path / file)


def test_it_is_brought_up_elsewhere_and_the_old_copy_is_kept(swarm, tmp_path):
    view = recover(swarm, tmp_path)
    assert (view.account.node, view.account.kept, view.status) == ("node3", ("node2",), "running")
    assert MAIL in swarm.files_of(view.account)
    swarm.world.say("node2", "ready")
    assert installation.apply(swarm.process()) == []
    assert accounts.show(swarm.process(), "alice").account.kept == ("node2",)
    assert {one.name: one.kept for one in status(swarm.process()).accounts} == {"alice": ("node2",), "bob": ()}
    swarm.check_converged()


def test_it_knows_that_the_file_is_of_earlier(swarm, tmp_path):
    """So it sends nothing twice, and gives no message a UID that clients know another one by."""
    assert layout.RESTORED in swarm.files_of(recover(swarm, tmp_path).account)


def test_what_somebody_has_removed_is_not_kept_any_more(swarm, tmp_path):
    account = recover(swarm, tmp_path).account
    swarm.world.say("node2", "ready")
    swarm.world.volumes.pop(f"mailpod-alice-{account.id}@node2")
    installation.apply(swarm.process())
    assert swarm.store.account("alice").kept == ()


def test_a_machine_that_keeps_a_copy_is_no_place_for_the_account(swarm, tmp_path):
    recover(swarm, tmp_path)
    swarm.world.say("node2", "ready")
    with pytest.raises(MailpodError, match="already, which is alice's") as refused:
        moving.move(swarm.process(), "alice", "node2")
    assert "volume rm" not in refused.value.hint


def test_a_dead_machine_is_given_up_with_what_it_kept(swarm, tmp_path):
    with pytest.raises(MailpodError, match="node2 has alice"):
        draining.remove(swarm.process(), "node2")
    recover(swarm, tmp_path)
    draining.remove(swarm.process(), "node2")
    assert swarm.store.account("alice").kept == ()


def test_what_cannot_be_is_refused(swarm, tmp_path):
    with pytest.raises(InvalidInput, match="is not of this alice"):
        recover(swarm, tmp_path, file="bob")
    with pytest.raises(InvalidInput, match="no machine"):
        recover(swarm, tmp_path, node="moon")
    with pytest.raises(MailpodError, match="takes no accounts"):
        recover(swarm, tmp_path, node="node2")
    swarm.world.say("node2", "ready")
    with pytest.raises(MailpodError, match="node2, where alice is, is up"):
        recover(swarm, tmp_path)


def test_one_that_fails_is_repeated(swarm, tmp_path):
    steps = Steps()
    steps.break_once("engine some of it", EngineUnreachable("gone", "come back"))
    with pytest.raises(MailpodError, match="gone"):
        recover(swarm, tmp_path, step=steps)
    assert swarm.store.account("alice").node == "node2"
    assert swarm.store.account("alice").copies == ()
    assert recover(swarm, tmp_path).status == "running"
    swarm.check_converged()


def test_it_is_recovered_from_its_last_backup_when_no_file_is_given(swarm, tmp_path):
    swarm.world.say("node2", "ready")
    backing_up.set_up(swarm.process(), str(tmp_path / "depot"), {})
    backing_up.back_up(swarm.process(), ("alice",))
    swarm.world.say("node2", "down")
    view = recovering.recover(swarm.process(), "alice", "node3")
    assert (view.account.node, view.account.kept, view.status) == ("node3", ("node2",), "running")
    assert MAIL in swarm.files_of(view.account)
    swarm.world.say("node2", "ready")
    swarm.check_converged()


def test_without_backups_a_file_is_needed(swarm):
    with pytest.raises(NotFound, match="no backup"):
        recovering.recover(swarm.process(), "alice", "node3")
    assert swarm.store.account("alice").node == "node2"
