import socket

import pytest
from tests.fakes.steps import Steps
from tests.fakes.system import PASSWORD

from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.plan import Create, Remove, Replace, Start
from mailpod.services import accounts, images, installation

CHECK_PORTS = installation._check_ports


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
    assert {image.tag for image in images.ALL} <= set(system.world.images)


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
    ],
)
def test_bad_options_are_refused_before_anything_is_touched(system, options):
    with pytest.raises(InvalidInput):
        system.planned(**options)
    assert not system.folder.exists()


@pytest.mark.parametrize("instance", ["", "a b", "../x", "A", "a" * 33, "a_b", "-a"])
def test_bad_instances_are_refused(system, instance):
    with pytest.raises(InvalidInput):
        installation.planned(system.store, "example.org", instance, None, None, None)


def test_another_domain_or_instance_is_refused(system):
    system.up("alice")
    before = system.state()
    with pytest.raises(AlreadyExists):
        system.planned("other.example")
    with pytest.raises(AlreadyExists):
        installation.planned(system.store, "example.org", "other", None, None, None)
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


def test_a_later_up_that_fails_leaves_the_record(system):
    system.up("alice")
    before = system.state()
    steps = Steps()
    steps.break_down("engine deploy_main", MailpodError("refused"))
    with pytest.raises(MailpodError):
        installation.up(system.process(steps), system.planned(port_base=20000))
    assert system.store.system().port_base == 0
    assert system.state().containers == before.containers
    assert system.state().volumes == before.volumes


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
    before = system.state()
    installation.down(system.process(), purge=False)
    assert not system.world.containers
    assert set(system.world.volumes) == {*before.volumes, "mailpod-main"}
    with pytest.raises(MailpodError, match="the system is down"):
        installation.apply(system.process())
    with pytest.raises(MailpodError, match="main system is not running"):
        accounts.create(system.process(), "bob", PASSWORD)
    installation.down(system.process(), purge=False)
    installation.up(system.process(), system.planned())
    assert system.state() == before


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
    monkeypatch.setattr(installation, "_check_ports", CHECK_PORTS)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        base = port - 25 if port - 25 <= 65535 - 2222 else port - 2222
        with pytest.raises(MailpodError, match=f"port {port}"):
            installation.up(system.process(), system.planned(bind="127.0.0.1", port_base=base))
    assert not system.folder.exists()
    assert not system.world.containers


def test_secrets_of_main_are_for_their_owner_alone(system):
    system.up("alice")
    for path in (system.folder / "secrets").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    environment = (system.folder / "compose.env").read_text()
    assert "MAILPOD_DOMAIN=example.org\n" in environment
    assert "PRIVATE" not in environment
