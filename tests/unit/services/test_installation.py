import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fakes.steps import Steps
from tests.fakes.system import PASSWORD, FakeSystem
from tests.ports import free_port_base

from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError, NotFound
from mailpod.model.plan import Create, Remove, Replace, Start
from mailpod.model.records import DEFAULT_STACK
from mailpod.services import accounts, images, installation, planning, ports

CHECK_PORTS = ports.check


def test_up_starts_main_and_can_be_repeated(system):
    system.up()
    assert system.world.containers["mailpod-main"].state == "running"
    assert system.tables()["postfix/recipients"] == ""
    before = system.state()
    installation.up(system.process(), system.planned())
    assert system.state() == before


def test_up_builds_the_images_that_are_missing(system):
    system.world.images.clear()
    system.world.registry = True
    system.up()
    built = {name for name in system.world.images if "account" in name or "main" in name}
    assert built == {images.MAIN.tag, images.ACCOUNT[DEFAULT_STACK].tag}


def test_apply_builds_the_images_of_the_accounts_there_are(system):
    system.up()
    other = next(stack for stack in images.ACCOUNT if stack != DEFAULT_STACK)
    accounts.create(system.process(), "alice", PASSWORD, stack=other)
    system.world.images.clear()
    system.world.registry = True
    installation.apply(system.process())
    assert {image.tag for image in (images.MAIN, *images.ACCOUNT.values())} <= set(system.world.images)


def test_up_keeps_what_was_said_before_and_changes_what_is_said_now(system):
    installation.up(system.process(), system.planned(bind="192.0.2.1", port_base=20000))
    again = system.planned(port_base=30000)
    assert (again.bind, again.port_base, again.ipv6_subnet) == ("192.0.2.1", 30000, system.store.system().ipv6_subnet)


@pytest.mark.parametrize(
    "options",
    [
        {"domain": "nodots"},
        {"domain": ""},
        {"domain": "a" * 60 + ".org"},
        {"bind": "localhost"},
        {"bind": "2001:db8::1"},
        {"bind": ""},
        {"port_base": -1},
        {"port_base": 65000},
        {"resolver": "dns.example.org"},
        {"ipv6_prefix": "2001:db8::/96"},
        {"ipv6_prefix": "2001:db8::1/64"},
    ],
)
def test_bad_options_are_refused_before_anything_is_touched(system, options):
    with pytest.raises(InvalidInput):
        system.planned(**options)
    assert not system.folder.exists()


@pytest.mark.parametrize("instance", ["", "a b", "../x", "A", "a" * 33, "a_b", "-a"])
def test_bad_instances_are_refused(system, instance):
    with pytest.raises(InvalidInput):
        planning.planned(system.store, "example.org", instance)


def test_another_domain_or_instance_is_refused(system):
    system.up("alice")
    before = system.state()
    with pytest.raises(AlreadyExists):
        system.planned("other.example")
    with pytest.raises(AlreadyExists):
        planning.planned(system.store, "example.org", "other")
    assert system.planned("EXAMPLE.org.").domain == "example.org"
    assert system.state() == before
    system.instance = "other"
    with pytest.raises(MailpodError, match="belongs to the instance"):
        accounts.views(system.process())


@pytest.mark.parametrize("broken", ["engine deploy_main", "channel main deploy", "engine main's volume"])
def test_a_first_up_that_fails_leaves_nothing(system, broken):
    steps = Steps()
    steps.break_down(broken, MailpodError("refused"))
    with pytest.raises(MailpodError):
        installation.up(system.process(steps), system.planned())
    state = system.state()
    assert not state.containers
    assert not state.networks
    assert not system.world.volumes
    assert not state.folder


def failing_once(prefix, error):
    """Steps of which the first that begins with `prefix` fails."""
    left = [error]

    def step(what):
        if what.startswith(prefix) and left:
            raise left.pop()

    return step


@pytest.mark.parametrize("error", [MailpodError("refused"), KeyboardInterrupt()])
def test_a_later_up_that_fails_deploys_what_ran_before(system, error):
    system.up("alice")
    before = system.state()
    context = system.process(failing_once("engine deploy_main", error))
    # Compose takes the old container away before it tries the new one.
    del system.world.containers["mailpod-main"]
    with pytest.raises(type(error)):
        installation.up(context, system.planned(port_base=20000))
    assert system.store.system().port_base == 0
    assert system.state() == before


def test_an_up_that_fails_after_down_leaves_it_down(system):
    system.up("alice")
    installation.down(system.process(), purge=False)
    before = system.state()
    with pytest.raises(MailpodError):
        installation.up(system.process(failing_once("channel main", MailpodError("refused"))), system.planned())
    assert not system.store.system().running
    assert system.state() == before


def test_an_account_that_does_not_start_is_no_reason_to_say_that_main_is_down(system):
    system.up("alice", "bob")
    installation.down(system.process(), purge=False)
    step = failing_once("engine create mailpod-alice", MailpodError("alice does not start"))
    with pytest.raises(MailpodError, match="alice does not start"):
        installation.up(system.process(step), system.planned())
    assert system.store.system().running
    assert {"mailpod-main", "mailpod-bob"} <= set(system.world.containers)
    installation.apply(system.process())
    system.check_converged()


@pytest.mark.parametrize("is_down", [False, True])
def test_a_system_is_not_taken_over_from_another_folder(system, tmp_path, is_down):
    """Neither its containers nor, when it is down, its volumes."""
    system.up("alice")
    if is_down:
        installation.down(system.process(), purge=False)
    before = system.state()
    other = FakeSystem(tmp_path / "other", world=system.world)
    with pytest.raises(AlreadyExists, match=str(other.folder)) as refused:
        installation.up(other.process(), other.planned("other.example", port_base=30000))
    assert "--state" in refused.value.hint
    assert system.state() == before
    assert not other.folder.exists()


def test_a_first_up_whose_undo_the_engine_refuses_can_be_taken_down(system):
    steps = Steps()
    steps.break_down("engine", MailpodError("refused"))
    context = system.process()
    planned = system.planned()

    def refuse(*_anything):
        context.engine._step = steps
        raise MailpodError("refused")

    context.channel.main = refuse
    with pytest.raises(MailpodError):
        installation.up(context, planned)
    installation.down(system.process(), purge=True)
    assert not system.world.containers
    assert not system.world.volumes


def test_two_at_once_take_turns(system):
    """Compose cannot be run twice at once on one project."""
    system.up("alice")
    planned = system.planned()
    with ThreadPoolExecutor() as pool:
        with system.store.lock("system"):
            second = pool.submit(installation.up, system.process(steps := Steps()), planned)
            with pytest.raises(TimeoutError):
                second.result(0.2)
            assert "engine deploy_main" not in steps.taken
        second.result(20)
        with system.store.lock("system"):
            third = pool.submit(installation.down, system.process(steps := Steps()), purge=False)
            with pytest.raises(TimeoutError):
                third.result(0.2)
            assert "engine remove_main" not in steps.taken
        third.result(20)


def test_down_waits_for_an_account_that_is_being_made(system):
    system.up("alice")
    with ThreadPoolExecutor() as pool:
        with system.store.lock("converge", shared=True):
            down = pool.submit(installation.down, system.process(), purge=False)
            with pytest.raises(TimeoutError):
                down.result(0.2)
            assert "mailpod-alice" in system.world.containers
        down.result(20)


def test_down_without_an_engine_changes_nothing(system):
    system.up("alice")
    system.world.reachable = False
    with pytest.raises(EngineUnreachable):
        installation.down(system.process(), purge=True)
    assert system.store.system().running


def test_apply_repairs_whatever_was_done_behind_its_back(system):
    system.up("alice", "bob", "carol", "dave")
    world = system.world
    del world.containers["mailpod-alice"]
    world.containers["mailpod-bob"].labels["mailpod.spec"] = "another"
    world.containers["mailpod-carol"].state = "exited"
    stray = world.containers["mailpod-stray"] = world.containers.pop("mailpod-dave")
    stray.labels["mailpod.account"] = "stray"
    world.volumes["mailpod-main"].files.clear()
    steps = installation.apply(system.process())
    assert [type(step) for step in steps] == [Remove, Create, Replace, Start, Create]
    system.check_converged()
    assert installation.apply(system.process()) == []


def test_one_account_that_does_not_start_keeps_no_other_down(system):
    system.up("alice", "bob", "carol")
    for name in ("alice", "bob", "carol"):
        del system.world.containers[f"mailpod-{name}"]
    steps = Steps()
    fail_once = MailpodError("alice does not start")

    def step(what):
        if what == "engine create mailpod-alice":
            raise fail_once
        steps(what)

    with pytest.raises(MailpodError, match="alice does not start"):
        installation.apply(system.process(step))
    assert {"mailpod-bob", "mailpod-carol"} <= set(system.world.containers)
    installation.apply(system.process())
    system.check_converged()


def test_a_volume_nobody_knows_is_never_destroyed(system):
    """Its record may be lost; the mail on it need not be."""
    system.up("alice")
    volumes = set(system.world.volumes)
    (system.folder / "accounts" / "alice.toml").unlink()
    installation.apply(system.process())
    assert set(system.world.volumes) == volumes


def test_down_keeps_the_volumes_and_up_brings_everything_back(system):
    system.up("alice")
    before = system.state_but_keys()
    installation.down(system.process(), purge=False)
    assert not system.world.containers
    assert set(system.world.volumes) == {*before.volumes, "mailpod-main"}
    with pytest.raises(MailpodError, match="the system is down"):
        installation.apply(system.process())
    with pytest.raises(MailpodError, match="main system is not running"):
        accounts.create(system.process(), "bob", PASSWORD)
    installation.down(system.process(), purge=False)
    installation.up(system.process(), system.planned())
    assert system.state_but_keys() == before


def test_an_account_deleted_while_the_system_is_down_stays_deleted(system):
    system.up("alice", "bob")
    installation.down(system.process(), purge=False)
    accounts.delete(system.process(), "alice", purge=False)
    accounts.delete(system.process(), "bob", purge=True)
    installation.up(system.process(), system.planned())
    system.check_converged()
    assert not system.store.accounts()
    accounts.undelete(system.process(), "alice")
    system.check_converged()


def test_down_purge_leaves_nothing_but_what_others_put_in_the_folder(system):
    system.up("alice", "bob")
    accounts.delete(system.process(), "bob", purge=False)
    (system.folder / "notes.txt").write_text("mine")
    installation.down(system.process(), purge=True)
    assert not system.world.containers
    assert not system.world.volumes
    assert not system.world.networks
    assert list(system.state().folder) == ["notes.txt"]
    with pytest.raises(NotFound):
        installation.down(system.process(), purge=True)


def test_a_port_in_use_is_named_before_anything_is_touched(system, monkeypatch):
    monkeypatch.setattr(ports, "check", CHECK_PORTS)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        base = port - 25 if port - 25 <= 65535 - 2222 else port - 2222
        with pytest.raises(MailpodError, match=f"port {port}"):
            installation.up(system.process(), system.planned(bind="127.0.0.1", port_base=base))
    assert not system.folder.exists()
    assert not system.world.containers


def test_an_address_that_is_not_the_machines_is_refused_before_anything_is_touched(system, monkeypatch):
    monkeypatch.setattr(ports, "check", CHECK_PORTS)
    installation.up(system.process(), system.planned(bind="127.0.0.1", port_base=free_port_base()))
    before, steps = system.state(), Steps()
    with pytest.raises(MailpodError, match=r"192\.0\.2\.99"):
        installation.up(system.process(steps), system.planned(bind="192.0.2.99"))
    assert "engine deploy_main" not in steps.taken
    assert system.state() == before


def test_another_address_is_checked_for_what_listens_there(system, monkeypatch):
    monkeypatch.setattr(ports, "check", CHECK_PORTS)
    base = free_port_base()
    installation.up(system.process(), system.planned(bind="127.0.0.1", port_base=base))
    with socket.socket() as other:
        other.bind(("127.0.0.2", base + 25))
        other.listen()
        with pytest.raises(MailpodError, match=f"port {base + 25}"):
            installation.up(system.process(), system.planned(bind="127.0.0.2"))
    assert system.store.system().bind == "127.0.0.1"


def test_what_main_itself_holds_is_in_nobodys_way(system, monkeypatch):
    """It may change from one address to all of them, and back, on the same ports."""
    monkeypatch.setattr(ports, "check", CHECK_PORTS)
    base = free_port_base()
    installation.up(system.process(), system.planned(bind="127.0.0.1", port_base=base))
    with socket.socket() as main:
        main.bind(("127.0.0.1", base + 25))
        main.listen()
        installation.up(system.process(), system.planned(bind="0.0.0.0"))
        installation.up(system.process(), system.planned(bind="127.0.0.1"))


def test_secrets_of_main_are_for_their_owner_alone(system):
    system.up("alice")
    for path in (system.folder / "secrets").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    environment = (system.folder / "compose.env").read_text()
    assert "MAILPOD_DOMAIN=example.org\n" in environment
    assert "PRIVATE" not in environment


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ({}, "198.51.100.7"),
        ({"bind": "9.9.9.9"}, "9.9.9.9"),
        ({"bind": "127.0.0.1"}, "198.51.100.7"),
        ({"bind": "9.9.9.9", "public_ipv4": "1.1.1.1"}, "1.1.1.1"),
    ],
)
def test_the_address_for_the_outside_is_found_at_first(system, monkeypatch, asked, known):
    monkeypatch.setattr(planning.routes, "public_ipv4", lambda: "198.51.100.7")
    assert system.planned(**asked).public_ipv4 == known
