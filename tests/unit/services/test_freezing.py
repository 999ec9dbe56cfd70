import pytest
from tests.fakes.system import PASSWORD

from mailpod.model.errors import AlreadyExists, MailpodError, NotFound
from mailpod.model.records import MIN_MEMORY, MIN_QUOTA
from mailpod.services import accounts, app_passwords, freezing, installation, rotating
from mailpod.services.status import status


@pytest.fixture
def frozen(system):
    """`alice` is frozen, `bob` is not."""
    system.up("alice", "bob")
    freezing.freeze(system.process(), "Alice")
    return system


def container(system):
    return system.world.containers["mailpod-alice"]


def statuses(system):
    return {view.account.name: view.status for view in accounts.views(system.process())}


def test_a_frozen_account_does_nothing_and_main_keeps_its_mail(frozen):
    assert statuses(frozen) == {"alice": "frozen", "bob": "running"}
    assert container(frozen).state == "exited"
    tables = frozen.tables()
    assert "box@alice.example.org OK" in tables["postfix/recipients"]
    assert "alice.example.org frozen:" in tables["postfix/transport"]
    for name in ("dovecot/logins", "dovecot/sieve", "dovecot/relay", "ssh/jump_keys"):
        assert "alice" not in tables[name]
    frozen.check_converged()


def test_a_container_that_is_ended_first_cannot_go_on_while_main_is_told(system):
    system.up("alice")
    taken = []
    freezing.freeze(system.process(taken.append), "alice")
    assert taken.index("engine halt mailpod-alice") < taken.index("channel main tables")


def test_neither_the_engine_nor_a_command_brings_it_up_again(frozen):
    frozen.world.restart()
    assert container(frozen).state == "exited"
    for again in (
        installation.apply,
        lambda context: installation.up(context, frozen.planned()),
        lambda context: accounts.change(context, "alice", memory=MIN_MEMORY),
    ):
        again(frozen.process())
        assert container(frozen).state == "exited"
        assert statuses(frozen)["alice"] == "frozen"
    assert installation.apply(frozen.process()) == []


def test_one_that_somebody_started_by_hand_is_told_and_ended(frozen):
    frozen.process().engine.start("mailpod-alice")
    assert statuses(frozen)["alice"] == "running"
    assert len(installation.apply(frozen.process())) == 1
    assert container(frozen).state == "exited"


def test_down_and_up_leave_it_frozen(frozen):
    volumes = set(frozen.world.volumes)
    installation.down(frozen.process(), purge=False)
    installation.up(frozen.process(), frozen.planned())
    assert statuses(frozen) == {"alice": "frozen", "bob": "running"}
    assert set(frozen.world.volumes) == volumes
    freezing.thaw(frozen.process(), "alice")
    frozen.check_converged()


def test_thaw_lets_it_go_on_with_what_was_changed_meanwhile(frozen):
    before = frozen.files_of(frozen.store.account("alice"))
    accounts.change(frozen.process(), "alice", quota=MIN_QUOTA)
    assert frozen.files_of(frozen.store.account("alice")) == before
    freezing.thaw(frozen.process(), "alice")
    after = frozen.files_of(frozen.store.account("alice"))
    assert after["etc/relay/sasl_passwd"] != before["etc/relay/sasl_passwd"]
    assert statuses(frozen)["alice"] == "running"
    assert container(frozen).comes_up
    frozen.check_converged()


def test_only_once(frozen):
    before = frozen.state()
    with pytest.raises(AlreadyExists, match="is frozen already, since"):
        freezing.freeze(frozen.process(), "alice")
    with pytest.raises(NotFound, match="is not frozen"):
        freezing.thaw(frozen.process(), "bob")
    for call in (freezing.freeze, freezing.thaw):
        with pytest.raises(NotFound):
            call(frozen.process(), "nobody")
    assert frozen.state() == before


def test_what_needs_it_running_is_refused(frozen):
    before = frozen.state()
    for call in (
        lambda: accounts.set_password(frozen.process(), "alice", PASSWORD),
        lambda: accounts.change(frozen.process(), "alice", stack="classic"),
        lambda: rotating.rotate(frozen.process(), "alice"),
        lambda: app_passwords.views(frozen.process(), "alice"),
    ):
        with pytest.raises(MailpodError, match="is frozen since") as refused:
            call()
        assert "mailpod account thaw alice" in refused.value.hint
    assert frozen.state() == before


def test_a_deleted_account_comes_back_frozen(frozen):
    accounts.delete(frozen.process(), "alice", purge=False)
    assert "mailpod-alice" not in frozen.world.containers
    assert accounts.undelete(frozen.process(), "alice").status == "frozen"
    frozen.check_converged()
    accounts.delete(frozen.process(), "alice", purge=True)
    frozen.check_converged()


def test_it_is_cut_off_while_main_is_down(system):
    system.up("alice")
    system.world.containers["mailpod-main"].state = "exited"
    freezing.freeze(system.process(), "alice")
    assert container(system).state == "exited"
    with pytest.raises(MailpodError, match="main system is not running"):
        freezing.thaw(system.process(), "alice")
    installation.apply(system.process())
    system.check_converged()


def test_status_says_since_when_and_what_waits(frozen):
    context = frozen.process()
    context.channel.queue = (
        b'{"queue_name": "hold", "queue_id": "4jYn", "arrival_time": 1, "message_size": 5, "sender": "x@outside.test", '
        b'"recipients": [{"address": "box@alice.example.org"}]}\n'
    )
    found = status(context)
    alice = found.accounts[0]
    since = frozen.store.account("alice").frozen
    assert (alice.desired, alice.observed, alice.waiting, alice.frozen) == ("frozen", "stopped", 1, since.isoformat())
    assert [message.reason for message in found.queue] == ["on hold"]


def test_what_it_had_said_is_kept_where_its_engine_does_not_keep_it(system):
    system.up_on_swarm("alice", "bob")
    freezing.freeze(system.process(), "alice")
    [log] = (system.folder / "logs").iterdir()
    assert log.name.startswith(f"alice-{system.store.account('alice').id}-")
    assert (log.read_bytes(), log.stat().st_mode & 0o777) == (b"last words", 0o600)


def test_what_one_had_said_that_somebody_started_by_hand_is_kept_too(system):
    system.up_on_swarm("alice")
    freezing.freeze(system.process(), "alice")
    for log in (system.folder / "logs").iterdir():
        log.unlink()
    system.process().engine.start("mailpod-alice")
    installation.apply(system.process())
    [log] = (system.folder / "logs").iterdir()
    assert log.read_bytes() == b"last words"
