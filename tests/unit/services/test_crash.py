"""A crash at any step, then `apply`: everything is as desired, nothing is lost, nothing lies about."""

import concurrent.futures
import contextlib
import copy
import shutil
from datetime import timedelta

import pytest
from tests.fakes.steps import Killed, Steps, full_disk
from tests.fakes.system import PASSWORD, FakeSystem, counting, fresh_copies

from mailpod.model import layout
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.records import MIN_MEMORY, MIN_QUOTA, now
from mailpod.services import (
    accounts,
    aliases,
    freezing,
    installation,
    migrating,
    planning,
    reconcile,
    relay_host,
    rotating,
)
from mailpod.services.upgrading import rollback, upgrade


class Inline(concurrent.futures.Executor):
    """Runs a task where it is submitted, so that the steps come in the same order each time."""

    def __init__(self, _workers=1):
        pass

    def submit(self, task, /, *args, **kwargs):
        future = concurrent.futures.Future()
        try:
            future.set_result(task(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  (as an executor does)
            future.set_exception(error)
        return future


class Late(Inline):
    """Runs a task when its result is asked for."""

    def submit(self, task, /, *args, **kwargs):
        late = super().submit

        class Future(concurrent.futures.Future):
            def result(self, timeout=None):
                return late(task, *args, **kwargs).result()

        return Future()


def relay(context, *options):
    """`up` with a relay host."""
    wanted = planning.planned(context.store, context.system.domain, context.instance)
    wanted, credentials = relay_host.planned(context.store, wanted, relay_host.RelayOptions(*options))
    installation.up(context, wanted, credentials=credentials)


OPERATIONS = {
    "create": lambda c: accounts.create(c, "carol", PASSWORD),
    "create again": lambda c: accounts.create(c, "gone", PASSWORD),
    "delete": lambda c: accounts.delete(c, "alice", purge=False),
    "purge": lambda c: accounts.delete(c, "alice", purge=True),
    "purge what was kept": lambda c: accounts.delete(c, "gone", purge=True),
    "undelete": lambda c: accounts.undelete(c, "gone"),
    "passwd": lambda c: accounts.set_password(c, "alice", PASSWORD),
    "set": lambda c: accounts.change(c, "alice", memory=MIN_MEMORY),
    "set quota": lambda c: accounts.change(c, "alice", quota=MIN_QUOTA),
    "set stack": lambda c: accounts.change(c, "alice", stack="dovecot"),
    "rotate": lambda c: rotating.rotate(c, "alice"),
    "freeze": lambda c: freezing.freeze(c, "alice"),
    "thaw": lambda c: freezing.thaw(c, "cold"),
    "undelete what is frozen": lambda c: accounts.undelete(c, "ice"),
    "alias": lambda c: aliases.add(c, "team", ["alice", "bob"]),
    "migrate to a Swarm": migrating.to_swarm,
    "migrate to one engine": migrating.to_docker,
    "relay host": lambda c: relay(c, "smtp2.example.net", "club", "secret"),
    "no relay host": lambda c: relay(c, "none"),
    "upgrade": lambda c: upgrade(c, ["main", "alice"]),
    "rollback": lambda c: rollback(c, "alice"),
    "apply": installation.apply,
}
MAY_DESTROY = {"purge": {"alice"}, "purge what was kept": {"gone"}}


@pytest.fixture
def ready(system):
    """Two accounts, and one that was deleted and kept."""
    system.up("alice", "bob", "cold", "gone", "ice")
    for name in ("cold", "ice"):
        freezing.freeze(system.process(), name)
    for name in ("gone", "ice"):
        accounts.delete(system.process(), name, purge=False)
    return system


def unlike(system):
    """Let what is observed differ from what is desired in every way, so that `apply` has something to do."""
    containers = system.world.containers
    containers["mailpod-alice"].state = "exited"
    containers["mailpod-main"].state = "exited"
    stray = copy.deepcopy(containers["mailpod-bob"])
    stray.labels["mailpod.account"] = "stray"
    containers["mailpod-stray"] = stray
    del containers["mailpod-bob"]


IN_PARALLEL = ("create", "create again", "undelete")


@pytest.mark.parametrize(
    ("operation", "order"), [(one, Inline) for one in OPERATIONS] + [(one, Late) for one in IN_PARALLEL]
)
def test_a_crash_at_any_step_is_repaired_by_apply(ready, tmp_path, monkeypatch, operation, order):
    monkeypatch.setattr(accounts, "ThreadPoolExecutor", order)
    monkeypatch.setattr("mailpod.services.reconcile.ThreadPoolExecutor", Inline, raising=False)
    if operation == "apply":
        unlike(ready)
    if "relay host" in operation:
        relay(ready.process(), "smtp.example.net", "club", "secret")
    if operation in {"upgrade", "rollback"}:
        ready.pull(monkeypatch, "newer")
    if operation == "rollback":
        upgrade(ready.process(), ["alice"])
    if operation == "migrate to one engine":
        migrating.to_swarm(ready.process())
    problems = []
    precious = {name for name in ready.world.volumes if not _may_go(name, operation)}
    for number, system in fresh_copies(ready, tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, system)
            steps.die_at(number)
            try:
                OPERATIONS[operation](system.process(steps))
            except Killed:
                pass
            else:
                break
        try:
            installation.apply(system.process())
            assert precious <= set(system.world.volumes), "a volume was lost"
            system.check_converged()
            assert reconcile.steps(system.process()) == []
        except (AssertionError, MailpodError) as problem:
            problems.append(f"killed before step {number}, {steps.taken[-1]}: {problem}")
    assert number > 3
    assert not problems, "\n".join(problems)


def _may_go(volume, operation):
    return any(volume.startswith(f"mailpod-{name}-") for name in MAY_DESTROY.get(operation, ()))


def test_a_crash_at_any_step_of_the_first_up_is_repaired_by_up(system, tmp_path, monkeypatch):
    for number, fresh in copies_of_nothing(tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, fresh)
            steps.die_at(number)
            try:
                installation.up(fresh.process(steps), fresh.planned())
            except Killed:
                pass
            else:
                break
        installation.up(fresh.process(), fresh.planned())
        accounts.create(fresh.process(), "alice", PASSWORD)
        fresh.check_converged()
    assert number > 10


def test_a_crash_at_any_step_of_down_is_repaired_by_down(ready, tmp_path, monkeypatch):
    for number, system in fresh_copies(ready, tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, system)
            steps.die_at(number)
            try:
                installation.down(system.process(steps), purge=True)
            except Killed:
                pass
            else:
                break
        if system.store.find_system():
            installation.down(system.process(), purge=True)
        assert not system.world.containers
        assert not system.world.volumes
        assert not system.state().folder
    assert number > 10


def copies_of_nothing(folder):
    number = 0
    while True:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        yield number, FakeSystem(folder)


FAILURES = {
    "the engine or the channel refuses": (MailpodError("refused"), ("engine", "channel")),
    "the disk is full": (full_disk(), ("open", "replace")),
    "control-C": (KeyboardInterrupt(), ("engine", "channel", "open", "replace")),
}


@pytest.mark.parametrize("operation", ["create", "undelete", "set quota"])
@pytest.mark.parametrize("failure", FAILURES)
def test_what_fails_at_any_step_leaves_everything_as_it_was(ready, tmp_path, monkeypatch, failure, operation):
    deleted = ready.store.deleted()[0].deleted
    monkeypatch.setattr(accounts, "now", lambda: deleted)
    monkeypatch.setattr(accounts, "ThreadPoolExecutor", Inline)
    before = ready.state_but_keys()
    error, kinds = FAILURES[failure]
    problems, path = [], []
    # The first time nothing fails. The last thing it does is to look at what it made.
    for number, system in fresh_copies(ready, tmp_path / "copy"):
        if path and number > len(path):
            break
        if path and not path[number - 2].startswith(kinds):
            continue
        with monkeypatch.context() as patch:
            steps = counting(patch, system)
            if path:
                steps.fail_at(number - 1, error)
            with contextlib.suppress(MailpodError, KeyboardInterrupt):
                OPERATIONS[operation](system.process(steps))
        path = path or steps.taken
        now = system.state_but_keys()
        if number > 1 and now != before:
            what = [name for name in vars(now) if getattr(now, name) != getattr(before, name)]
            problems.append(f"failed at step {number - 1}, {path[number - 2]}: left in {what}")
    assert not problems, "\n".join(problems)


def awaiting(call):
    """What takes the place of the channel's `await_account`."""

    @contextlib.contextmanager
    def await_account(_name):
        yield call

    return await_account


def test_an_undo_that_the_engine_does_not_let_finish_is_finished_by_apply(ready, monkeypatch):
    """The engine goes away in the middle of create, and comes back."""
    volumes = set(ready.world.volumes)
    steps = Steps()
    context = ready.process(steps)
    gone = EngineUnreachable("no container engine answers")

    def closed(*_anything):
        steps.break_down("engine", gone)
        raise MailpodError("carol: the account does not answer")

    monkeypatch.setattr(context.channel, "await_account", awaiting(closed))
    with pytest.raises(MailpodError):
        accounts.create(context, "carol", PASSWORD)
    assert "carol" not in [account.name for account in ready.store.accounts()]
    installation.apply(ready.process())
    ready.check_converged()
    assert set(ready.world.volumes) == volumes


def test_the_undo_of_a_create_leaves_a_newer_account_of_that_name_alone(ready, monkeypatch):
    """While create runs, somebody deletes the account and makes it anew; then the first create fails."""
    context = ready.process()

    def overtaken(*_anything):
        accounts.delete(ready.process(), "carol", purge=False)
        accounts.create(ready.process(), "carol", PASSWORD)
        raise MailpodError("carol: the account does not answer")

    monkeypatch.setattr(context.channel, "await_account", awaiting(overtaken))
    with pytest.raises(MailpodError):
        accounts.create(context, "carol", PASSWORD)
    assert "carol" in [account.name for account in ready.store.accounts()]
    assert ready.world.containers["mailpod-carol"].state == "running"


def test_the_undo_of_a_create_leaves_another_systems_container_alone(tmp_path, system):
    """`b-c` in the system `mailpod` and `c` in the system `mailpod-b` want the same name on the engine."""
    system.up()
    other = FakeSystem(tmp_path / "other", instance="mailpod-b", world=system.world).up("c")
    container = layout.account_container("mailpod-b", "c")
    assert container in system.world.containers
    with pytest.raises(MailpodError):
        accounts.create(system.process(), "b-c", PASSWORD)
    assert container in system.world.containers, "the other system's account was removed"
    other.check_converged()


def test_an_undelete_that_fails_leaves_the_account_deleted_and_kept(ready, monkeypatch):
    before = ready.state_but_keys()
    monkeypatch.setattr(accounts, "now", lambda: now() + timedelta(hours=1))
    ready.world.broken_images = {image for image in ready.world.images if "account" in image}
    with pytest.raises(MailpodError):
        accounts.undelete(ready.process(), "gone")
    assert ready.state_but_keys() == before
