import copy

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import counting, fresh_copies

from mailpod.model.archive import File
from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError, NotFound
from mailpod.services import accounts, copies, freezing, installation, moving, prefixes, reconcile

MAIL = "home/Maildir/cur/1"


@pytest.fixture
def swarm(system):
    """Two accounts on the first of three machines, and a message in one of them."""
    system.up_on_swarm("alice", "bob")
    volume_of(system, "alice").files[MAIL] = File(MAIL, b"a message", 0o600, 1000)
    return system


def volume_of(system, name):
    return system.world.volumes[system.world.containers[f"mailpod-{name}"].volume]


def node_of(system, name="alice"):
    return system.store.account(name).node


def move(system, name="alice", node="node2", step=None):
    return moving.move(system.process(step), name, node)


def test_an_account_is_on_the_other_machine_with_all_that_it_had(swarm):
    before = swarm.files_of(swarm.store.account("alice"))
    view = move(swarm, "Alice")
    assert (view.account.node, view.status) == ("node2", "running")
    assert swarm.world.containers["mailpod-alice"].node == "node2"
    after = swarm.files_of(swarm.store.account("alice"))
    for path in (MAIL, "etc/password", "etc/ssh/ssh_host_ed25519_key"):
        assert after[path] == before[path]
    swarm.check_converged()
    assert installation.apply(swarm.process()) == []


def test_it_is_copied_while_it_runs_and_once_more_while_it_is_stopped(swarm):
    steps = Steps()
    move(swarm, step=steps)
    taken = [one for one in steps.taken if "copied" in one or "mailpod-alice" in one or "discard" in one]
    first, stop = taken.index("engine all of it is copied"), taken.index("engine remove mailpod-alice")
    last = taken.index("engine all of it is copied", stop)
    assert first < stop < last < taken.index("engine create mailpod-alice")
    assert taken[-1].startswith("engine discard mailpod-alice-")
    assert taken[-1].endswith(" on node1")


def test_its_logins_and_mail_wait_at_main_until_it_answers_again(swarm):
    steps = Steps()
    move(swarm, step=steps)
    held, back = (steps.taken.index(f"channel main {verb}") for verb in ("hold alice anew", "end hold alice anew"))
    assert held < steps.taken.index("engine remove mailpod-alice")
    assert steps.taken.index("channel main await alice") < back


def test_the_dns_follows_it_also_to_a_machine_without_public_addresses(system):
    system.dns = "built-in"
    system.up_on_swarm("alice", nodes=("node1", "node2"))
    prefixes.set_prefix(system.process(), "node1", "2001:db8:1::/64")
    [zone] = system.world.zones.values()
    assert ("alice.example.org", "AAAA") in zone
    move(system)
    assert ("alice.example.org", "AAAA") not in zone
    move(system, node="node1")
    assert ("alice.example.org", "AAAA") in zone


def test_there_and_back_again(swarm):
    for node in ("node2", "node3", "node1"):
        assert move(swarm, node=node).account.node == node
        swarm.check_converged()
    assert MAIL in swarm.files_of(swarm.store.account("alice"))


def refused(system, error, match, **what):
    before = system.state()
    with pytest.raises(error, match=match):
        move(system, **what)
    after = system.state()
    for state in (before, after):
        state.folder = {path: text for path, text in state.folder.items() if not path.startswith(".")}
    assert after == before


def test_what_cannot_be_is_refused_before_anything_is_touched(swarm):
    refused(swarm, NotFound, "no account", name="nobody")
    refused(swarm, AlreadyExists, "is on node1", node="node1")
    refused(swarm, InvalidInput, "no machine 'moon'", node="moon")
    freezing.freeze(swarm.process(), "bob")
    refused(swarm, MailpodError, "frozen", name="bob")
    swarm.world.say("node2", "down")
    refused(swarm, MailpodError, "takes no accounts")


def test_a_machine_without_room_is_refused(swarm):
    swarm.world.room = 1000
    refused(swarm, MailpodError, "node2 has 0 MiB free")


def test_a_volume_of_which_nothing_is_known_is_not_overwritten(swarm):
    [key] = [key for key in swarm.world.volumes if "alice" in key]
    swarm.world.volumes[f"{key}@node2"] = copy.deepcopy(swarm.world.volumes[key])
    refused(swarm, MailpodError, "already, of which nothing is known")


def test_an_account_whose_machine_is_down_is_not_moved(swarm):
    move(swarm)
    swarm.world.say("node2", "down")
    refused(swarm, MailpodError, "alice is on node2, which is down since", node="node3")


def test_one_engine_has_nowhere_to_move_to(system):
    system.up("alice")
    refused(system, MailpodError, "runs on one Docker Engine")


def test_two_do_not_move_one_account(swarm):
    context = swarm.process()
    with copies.alone(context, swarm.store.account("alice")):
        refused(swarm, MailpodError, "another command works on alice")
        assert move(swarm, "bob").account.node == "node2"
    assert move(swarm).account.node == "node2"


def test_apply_leaves_a_move_alone_that_is_being_made(swarm, monkeypatch):
    """It comes between the two copies."""
    engine = type(swarm.process().engine)
    real = engine.copy_volume

    def meanwhile(self, source, target, told, *, at_rest):
        carried = real(self, source, target, told, at_rest=at_rest)
        if not at_rest:
            installation.apply(swarm.process())
            assert self.holds(target)
        return carried

    monkeypatch.setattr(engine, "copy_volume", meanwhile)
    assert move(swarm).account.node == "node2"
    swarm.check_converged()


@pytest.mark.parametrize("what", ["freeze", "delete", "purge", "change"])
def test_another_command_comes_between(swarm, monkeypatch, what):
    engine = type(swarm.process().engine)
    real = engine.copy_volume
    todo = {
        "freeze": lambda: freezing.freeze(swarm.process(), "alice"),
        "delete": lambda: accounts.delete(swarm.process(), "alice", purge=False),
        "purge": lambda: accounts.delete(swarm.process(), "alice", purge=True),
        "change": lambda: accounts.change(swarm.process(), "alice", memory=1 << 27),
    }

    def meanwhile(self, source, target, told, *, at_rest):
        carried = real(self, source, target, told, at_rest=at_rest)
        if not at_rest:
            todo[what]()
        return carried

    monkeypatch.setattr(engine, "copy_volume", meanwhile)
    if what == "change":
        assert move(swarm).account.memory == 1 << 27
    else:
        with pytest.raises(MailpodError):
            move(swarm)
    installation.apply(swarm.process())
    swarm.check_converged()
    assert (not [key for key in swarm.world.volumes if "alice" in key]) == (what == "purge")


@pytest.mark.parametrize("step", ["engine help", "engine half", "engine remove mailpod-alice"])
def test_a_move_that_fails_leaves_the_account_whole(swarm, step):
    steps = Steps()
    steps.break_once(step, EngineUnreachable("gone", "come back"))
    with pytest.raises(MailpodError, match="gone"):
        move(swarm, step=steps)
    assert MAIL in swarm.files_of(swarm.store.account("alice"))
    assert accounts.show(swarm.process(), "alice").status == "running"
    installation.apply(swarm.process())
    swarm.check_converged()


def test_an_account_that_does_not_come_up_goes_back_with_what_it_has_taken(swarm):
    steps = Steps()
    late = "home/Maildir/new/2"

    def fail_once(what):
        steps(what)
        if what == "channel main await alice" and node_of(swarm) == "node2":
            volume_of(swarm, "alice").files[late] = File(late, b"taken there", 0o600, 1000)
            raise MailpodError("alice does not answer", "see: mailpod status")

    with pytest.raises(MailpodError, match="does not answer"):
        move(swarm, step=fail_once)
    assert node_of(swarm) == "node1"
    assert {MAIL, late} <= swarm.files_of(swarm.store.account("alice")).keys()
    assert accounts.show(swarm.process(), "alice").status == "running"
    swarm.check_converged()


def everywhere(swarm, tmp_path, monkeypatch, after):
    """Kill a move before each of its steps, then have something done about it; problems in words."""
    problems = []
    for number, system in fresh_copies(swarm, tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, system)
            steps.die_at(number)
            try:
                move(system, step=steps)
            except Killed:
                pass
            else:
                break
        try:
            after(system)
            assert MAIL in system.files_of(system.store.account("alice"))
            system.check_converged()
            assert reconcile.steps(system.process()) == []
        except (AssertionError, MailpodError) as problem:
            problems.append(f"killed before step {number}, {steps.taken[-1]}: {problem}")
    assert number > 20
    return problems


def test_a_move_that_is_killed_at_any_step_is_finished_or_cleaned_up_by_apply(swarm, tmp_path, monkeypatch):
    assert not everywhere(swarm, tmp_path, monkeypatch, lambda system: installation.apply(system.process()))


def test_the_same_command_again_finishes_it_too(swarm, tmp_path, monkeypatch):
    def again(system):
        try:
            assert move(system).account.node == "node2"
        except AlreadyExists:
            assert node_of(system) == "node2"

    assert not everywhere(swarm, tmp_path, monkeypatch, again)


def test_nothing_is_destroyed_while_the_account_itself_is_missing(swarm):
    [key] = [key for key in swarm.world.volumes if "alice" in key]
    account = swarm.store.account("alice")
    swarm.store.save_account(account.model_copy(update={"copies": ("node2",)}))
    swarm.world.containers.pop("mailpod-alice")
    swarm.world.volumes[f"{key}@node2"] = swarm.world.volumes.pop(key)
    context = swarm.process()
    with pytest.raises(MailpodError, match="no volume on node1, but one on node2"):
        copies.clear(context, swarm.store.account("alice"))
    assert f"{key}@node2" in swarm.world.volumes


def test_a_copy_on_a_machine_that_is_down_goes_when_it_is_back(swarm):
    steps = Steps()
    steps.break_once("engine discard", EngineUnreachable("gone", "come back"))
    assert move(swarm, step=steps).account.copies == ("node1",)
    assert "the old copy of alice is still there" in swarm.said[-1]
    move(swarm, node="node3")
    swarm.check_converged()


def test_down_with_purge_leaves_nothing(swarm):
    steps = Steps()

    def die_while_it_copies(what):
        steps.dead = steps.dead or what == "engine all of it is copied"
        steps(what)

    with pytest.raises(Killed):
        move(swarm, step=die_while_it_copies)
    assert swarm.world.helpers
    installation.down(swarm.process(), purge=True)
    assert not swarm.world.volumes
    assert not swarm.world.helpers


@pytest.mark.parametrize("purge", [False, True])
def test_who_has_read_the_record_before_a_move_deletes_the_account_where_it_is(swarm, monkeypatch, purge):
    """The move ends just before the deletion's turn comes."""
    context = swarm.process()
    lock, waited = context.lock, []

    def come_late(name, **how):
        if name == "converge" and not waited:
            waited.append(name)
            steps = Steps()
            steps.break_once("engine discard", EngineUnreachable("gone", "come back"))
            move(swarm, step=steps)
        return lock(name, **how)

    monkeypatch.setattr(context, "lock", come_late)
    accounts.delete(context, "alice", purge=purge)
    installation.apply(swarm.process())
    swarm.check_converged()
    if purge:
        assert not [key for key in swarm.world.volumes if "alice" in key]
    else:
        [kept] = swarm.store.deleted()
        assert kept.node == "node2"
        assert MAIL in swarm.files_of(kept)


@pytest.mark.parametrize("step", ["engine create mailpod-alice", "channel main await alice"])
def test_a_move_that_is_interrupted_when_the_account_is_there_already_is_finished(swarm, step):
    """By control-C."""
    steps, done = Steps(), []

    def interrupt(what):
        steps(what)
        if what == step and node_of(swarm) == "node2" and not done:
            done.append(what)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(swarm, step=interrupt)
    assert (node_of(swarm), accounts.show(swarm.process(), "alice").status) == ("node2", "running")
    assert any("alice is on node2 already" in line for line in swarm.said)
    assert not any("undoing" in line for line in swarm.said)
    swarm.check_converged()
    assert installation.apply(swarm.process()) == []


def test_one_that_is_interrupted_and_cannot_be_finished_is_told(swarm):
    steps = Steps()

    def interrupt(what):
        steps(what)
        if what == "engine create mailpod-alice":
            steps.break_down("engine create", EngineUnreachable("gone", "come back"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(swarm, step=interrupt)
    assert "mailpod apply" in swarm.said[-1]
    installation.apply(swarm.process())
    assert (node_of(swarm), accounts.show(swarm.process(), "alice").status) == ("node2", "running")
    swarm.check_converged()


def test_one_that_is_interrupted_before_that_goes_on_where_it_was(swarm):
    def interrupt(what):
        if what == "engine half of it is copied" and "mailpod-alice" not in swarm.world.containers:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(swarm, step=interrupt)
    assert "undoing the move of alice" in swarm.said
    assert (node_of(swarm), accounts.show(swarm.process(), "alice").status) == ("node1", "running")
    swarm.check_converged()
