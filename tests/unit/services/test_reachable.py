import dataclasses

import pytest
from tests.fakes.system import PASSWORD

from mailpod.model.errors import MailpodError
from mailpod.services import accounts, app_passwords, freezing, installation, rotating
from mailpod.services.status import status

SINCE = "2030-01-01T00:00:00Z"


@pytest.fixture
def bob(system):
    """An account whose machine is down, beside alice, whose machine is not."""
    system.up_on_swarm("alice", nodes=("near", "far"))
    accounts.create(system.process(), "bob", PASSWORD, node="far")
    fail(system)
    return system.store.account("bob")


def fail(system):
    system.world.machines[1] = dataclasses.replace(system.world.machines[1], state="down", since=SINCE)


def come_back(system):
    system.world.machines[1] = dataclasses.replace(system.world.machines[1], state="ready")


def test_status_says_since_when_an_account_is_down_and_where(system, bob):
    alice, found = status(system.process()).accounts
    assert (alice.observed, alice.since) == ("running", "")
    assert (found.observed, found.node, found.since) == ("unreachable", "far", SINCE)


def test_apply_leaves_it_as_it_is_and_sees_to_the_others(system, bob):
    system.world.containers.pop("mailpod-alice")
    assert installation.apply(system.process())
    assert system.world.containers["mailpod-alice"].state == "running"
    assert f"far is down since {SINCE}; its accounts stay as they are until it is back" in system.said
    come_back(system)
    assert installation.apply(system.process()) == []
    system.check_converged()


def test_what_has_gone_meanwhile_is_made_once_its_machine_is_back(system, bob):
    system.world.containers.pop("mailpod-bob")
    assert installation.apply(system.process()) == []
    come_back(system)
    installation.apply(system.process())
    system.check_converged()


@pytest.mark.parametrize(
    "command",
    [
        lambda context: accounts.set_password(context, "bob", "correct horse battery"),
        lambda context: accounts.change(context, "bob", memory=512 << 20),
        lambda context: rotating.rotate(context, "bob"),
        lambda context: app_passwords.add(context, "bob", "phone", "all"),
        lambda context: installation.down(context, purge=True),
    ],
)
def test_what_needs_its_machine_is_refused_before_anything_is_touched(system, bob, command):
    before = system.state()
    with pytest.raises(MailpodError, match=r"far.* down"):
        command(system.process())
    assert system.state() == before


def test_it_is_frozen_all_the_same(system, bob):
    freezing.freeze(system.process(), "bob")
    with pytest.raises(MailpodError, match="is down"):
        freezing.thaw(system.process(), "bob")
    come_back(system)
    installation.apply(system.process())
    assert system.world.containers["mailpod-bob"].state != "running"
    freezing.thaw(system.process(), "bob")
    system.check_converged()


def test_a_purge_is_ended_when_the_machine_is_back(system, bob):
    volume = f"mailpod-bob-{bob.id}@far"
    accounts.delete(system.process(), "bob", purge=True)
    installation.apply(system.process())
    assert volume in system.world.volumes
    come_back(system)
    installation.apply(system.process())
    assert volume not in system.world.volumes
    system.check_converged()


def test_it_is_brought_back_once_its_machine_is(system, bob):
    accounts.delete(system.process(), "bob", purge=False)
    with pytest.raises(MailpodError, match="is down"):
        accounts.undelete(system.process(), "bob")
    come_back(system)
    accounts.undelete(system.process(), "bob")
    system.check_converged()
