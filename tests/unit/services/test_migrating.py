"""From one Docker Engine to a Swarm of one, and back. What a kill at any step leaves is `test_crash`'s to see."""

import pytest
from tests.fakes.steps import Steps
from tests.fakes.system import PASSWORD

from mailpod.model.errors import AlreadyExists, MailpodError
from mailpod.model.records import MIN_MEMORY
from mailpod.services import accounts, freezing, installation, migrating


@pytest.fixture
def ready(system):
    """Accounts that run, one that is frozen, and one that was deleted and kept."""
    system.up("alice", "bob", "cold", "gone")
    freezing.freeze(system.process(), "cold")
    accounts.delete(system.process(), "gone", purge=False)
    return system


def kinds(system):
    return {container.kind for container in system.world.containers.values()}


def nodes(system):
    return {account.name: account.node for account in (*system.store.accounts(), *system.store.deleted())}


def test_a_swarm_of_one_runs_what_one_engine_ran(ready):
    before = {name: dict(volume.files) for name, volume in ready.world.volumes.items()}
    ids = {account.name: account.id for account in ready.store.accounts()}
    migrating.to_swarm(ready.process())
    assert (ready.world.swarm, kinds(ready)) == ("manager", {"swarm"})
    assert nodes(ready) == dict.fromkeys(["alice", "bob", "cold", "gone"], "machine")
    assert {account.name: account.id for account in ready.store.accounts()} == ids
    after = {name: dict(volume.files) for name, volume in ready.world.volumes.items()}
    for name, files in before.items():
        kept = {path for path in files if "password" in path or "ssh_host" in path}
        assert {path: after[name][path] for path in kept} == {path: files[path] for path in kept}
    ready.check_converged()
    assert installation.apply(ready.process()) == []
    freezing.thaw(ready.process(), "cold")
    accounts.undelete(ready.process(), "gone")
    accounts.create(ready.process(), "new", PASSWORD)
    ready.check_converged()


def test_back_on_one_engine_all_is_as_before(ready):
    before = ready.state_but_keys()
    migrating.to_swarm(ready.process())
    migrating.to_docker(ready.process())
    assert kinds(ready) == {"fake"}
    ready.check_converged()
    now = ready.state_but_keys()
    # The container of a frozen account is gone on a Swarm.
    before.containers.pop("mailpod-cold")
    assert now == before
    assert ready.world.swarm == "manager", "it was not ours to give up"


@pytest.mark.parametrize("there", [migrating.to_docker, migrating.to_swarm])
def test_what_is_there_already_is_told(ready, there):
    if there == migrating.to_swarm:
        migrating.to_swarm(ready.process())
    before = ready.state()
    with pytest.raises(AlreadyExists):
        there(ready.process())
    assert ready.state() == before


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"bind": "127.0.0.1"}, "mailpod up example.org --bind 0.0.0.0"),
        ({"ipv6_routed": True}, "mailpod up example.org --ipv6-prefix none"),
    ],
)
def test_what_a_swarm_cannot_do_is_refused_before_anything_is_touched(ready, change, advice):
    ready.store.save_system(ready.store.system().model_copy(update=change))
    before = ready.state()
    with pytest.raises(MailpodError) as refused:
        migrating.to_swarm(ready.process())
    assert advice in refused.value.hint
    assert (ready.state(), ready.world.swarm) == (before, "")


def test_a_worker_of_a_swarm_is_refused(ready):
    ready.world.swarm = "worker"
    before = ready.state()
    with pytest.raises(MailpodError):
        migrating.to_swarm(ready.process())
    assert ready.state() == before


def test_a_system_that_is_down_is_refused(ready):
    installation.down(ready.process(), purge=False)
    with pytest.raises(MailpodError, match="not running"):
        migrating.to_swarm(ready.process())
    assert ready.world.swarm == ""


@pytest.mark.parametrize("who", ["alice", "gone"])
def test_there_is_no_way_back_while_an_account_is_on_another_machine(ready, who):
    migrating.to_swarm(ready.process())
    account = next(one for one in (*ready.store.accounts(), *ready.store.deleted()) if one.name == who)
    save = ready.store.save_deleted if account.deleted else ready.store.save_account
    save(account.model_copy(update={"node": "another"}))
    before = ready.state()
    with pytest.raises(MailpodError, match=who):
        migrating.to_docker(ready.process())
    assert ready.state() == before


def test_there_is_no_way_back_while_machines_have_prefixes(ready):
    migrating.to_swarm(ready.process())
    prefixes = {"machine": "2001:db8::/64"}
    ready.store.save_system(ready.store.system().model_copy(update={"prefixes": prefixes}))
    with pytest.raises(MailpodError) as refused:
        migrating.to_docker(ready.process())
    assert refused.value.hint == "give them up first: mailpod node set machine --ipv6-prefix none"


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("error", [MailpodError("refused"), KeyboardInterrupt()])
@pytest.mark.parametrize("broken", ["engine deploy_main", "engine main is gone", "engine remove mailpod-bob"])
def test_what_cannot_be_done_is_undone(ready, was_there, error, broken):
    ready.world.swarm = "manager" if was_there else ""
    before = ready.state_but_keys()
    steps = Steps()
    steps.break_once(broken, error)
    with pytest.raises(type(error)):
        migrating.to_swarm(ready.process(steps))
    assert kinds(ready) == {"fake"}
    assert ready.world.swarm == ("manager" if was_there else "")
    ready.check_converged()
    before.containers.pop("mailpod-cold", None)
    now = ready.state_but_keys()
    now.containers.pop("mailpod-cold", None)
    assert now == before


@pytest.mark.parametrize("was_there", [False, True])
def test_a_first_up_on_a_swarm_makes_one(system, was_there):
    system.engine = "swarm"
    system.world.swarm = "manager" if was_there else ""
    installation.up(system.process(), system.planned())
    accounts.create(system.process(), "alice", PASSWORD)
    assert (system.world.swarm, kinds(system)) == ("manager", {"swarm"})
    system.check_converged()


@pytest.mark.parametrize("was_there", [False, True])
def test_a_first_up_that_fails_gives_up_the_swarm_that_it_made(system, was_there):
    system.engine = "swarm"
    system.world.swarm = "manager" if was_there else ""
    steps = Steps()
    steps.break_down("engine deploy_main", MailpodError("refused"))
    with pytest.raises(MailpodError):
        installation.up(system.process(steps), system.planned())
    assert system.world.swarm == ("manager" if was_there else "")
    assert not system.world.containers
    assert not system.state().folder


def test_a_later_up_that_fails_leaves_the_swarm_alone(system):
    system.engine = "swarm"
    installation.up(system.process(), system.planned())
    steps = Steps()
    steps.break_once("engine deploy_main", MailpodError("refused"))
    with pytest.raises(MailpodError):
        installation.up(system.process(steps), system.planned(port_base=100))
    assert (system.world.swarm, kinds(system)) == ("manager", {"swarm"})


WAITING = {
    "create": lambda context, _planned: accounts.create(context, "new", PASSWORD),
    "set": lambda context, _planned: accounts.change(context, "alice", memory=MIN_MEMORY),
    "delete": lambda context, _planned: accounts.delete(context, "alice", purge=True),
    "undelete": lambda context, _planned: accounts.undelete(context, "gone"),
    "up": installation.up,
    "apply": lambda context, _planned: installation.apply(context),
    "down": lambda context, _planned: installation.down(context, purge=True),
}


@pytest.mark.parametrize("command", WAITING)
def test_what_has_waited_for_it_does_not_go_on_on_the_engine_before(ready, monkeypatch, command):
    """A command had looked at the system, and waits for its turn until the system is on another engine."""
    context, planned = ready.process(), ready.planned()
    real, after = context.store.lock, []

    def lock(name="lock", *, shared=False):
        if name in {"system", "converge"} and not after:
            after.append(None)
            migrating.to_swarm(ready.process())
            after[0] = ready.state()
        return real(name, shared=shared)

    monkeypatch.setattr(context.store, "lock", lock)
    with pytest.raises(MailpodError) as refused:
        WAITING[command](context, planned)
    assert (refused.value.what, refused.value.hint) == (
        "example.org was brought to another engine meanwhile",
        "try again",
    )
    assert ready.state() == after[0]
