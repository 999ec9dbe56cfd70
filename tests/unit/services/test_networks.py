from ipaddress import IPv6Network

import pytest
from tests.fakes.engine import FakeEngine
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD, fresh_copies

from mailpod.host import routes
from mailpod.model import layout
from mailpod.model import networks as model
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.spec import EngineInfo, Machine
from mailpod.services import accounts, announcing, installation, migrating, networks

PREFIX = "2001:db8:1:2::/64"


@pytest.fixture(autouse=True)
def neighbours(monkeypatch):
    """This machine has one network, which no prefix here is a part of, and an engine that translates nothing."""
    monkeypatch.setattr(routes, "on_link", lambda prefix: None)
    monkeypatch.setattr(networks, "translates_ipv6", lambda: False)
    return monkeypatch


def up(system, **options):
    installation.up(system.process(), system.planned(**options))


def test_a_new_system_has_a_network_that_is_free_and_not_reached_from_outside(system):
    system.up("alice")
    made = system.store.system()
    [network] = system.world.networks.values()
    assert network.subnets == (made.networks[0], str(model.ipv6_subnet(made.ipv6_subnet, 0)))
    assert not made.ipv6_routed


def test_the_address_of_an_account_is_the_same_whatever_becomes_of_its_container(system):
    system.up("alice")
    before = accounts.show(system.process(), "alice").ipv6
    assert before == layout.account_ipv6(system.store.system(), system.store.account("alice"))
    installation.down(system.process(), purge=False)
    assert accounts.show(system.process(), "alice").ipv6 == before
    up(system)
    accounts.delete(system.process(), "alice", purge=False)
    assert accounts.undelete(system.process(), "alice").ipv6 == before


def test_a_new_account_of_the_same_name_has_another_address(system):
    system.up("alice")
    before = accounts.show(system.process(), "alice").ipv6
    accounts.delete(system.process(), "alice", purge=True)
    assert accounts.create(system.process(), "alice", PASSWORD).ipv6 != before


def test_a_prefix_given_later_moves_everyone_into_it_and_loses_nothing(system):
    system.up("alice", "bob")
    volumes = set(system.world.volumes)
    up(system, ipv6_prefix=PREFIX)
    assert [one.routed for one in system.world.networks.values()] == [True]
    for name in ("alice", "bob"):
        view = accounts.show(system.process(), name)
        assert view.status == "running"
        assert view.ipv6.startswith("2001:db8:1:2:0:")
    assert set(system.world.volumes) == volumes
    up(system)
    assert system.store.system().ipv6_subnet == PREFIX
    up(system, ipv6_prefix="none")
    assert system.store.system().ipv6_subnet.startswith("fd")
    assert not system.store.system().ipv6_routed


def test_a_prefix_that_main_does_not_start_on_leaves_everyone_where_they_were(system):
    system.up("alice")
    before = system.state_but_keys()
    left = [MailpodError("refused")]

    def once(what):
        if what.startswith("engine deploy_main") and left:
            raise left.pop()

    with pytest.raises(MailpodError, match="refused"):
        installation.up(system.process(once), system.planned(ipv6_prefix=PREFIX))
    assert system.state_but_keys() == before


def test_killed_anywhere_on_the_way_to_another_prefix_apply_ends_it(system, tmp_path):
    for number, fresh in fresh_copies(system.up("alice"), tmp_path / "copy"):
        steps = Steps()
        steps.die_at(number)
        try:
            installation.up(fresh.process(steps), fresh.planned(ipv6_prefix=PREFIX))
        except Killed:
            pass
        else:
            break
        installation.apply(fresh.process())
        assert accounts.show(fresh.process(), "alice").status == "running"
        [network] = fresh.world.networks.values()
        assert [network] == layout.desired_networks(fresh.store.system())
    assert number > 10


def test_the_machines_own_network_is_not_routed_to_it(system, neighbours):
    neighbours.setattr(routes, "on_link", lambda prefix: ("eth0", PREFIX))
    with pytest.raises(InvalidInput, match="eth0"):
        up(system, ipv6_prefix=PREFIX)
    assert not system.store.find_system()


def test_a_part_of_the_machines_own_network_has_to_be_answered_for(system, neighbours):
    answered = []
    neighbours.setattr(routes, "on_link", lambda prefix: ("eth0", PREFIX))
    neighbours.setattr(announcing.neighbours, "answered", lambda interface: answered)
    neighbours.setattr(announcing.neighbours, "ignores_routers", lambda interface: False)
    part = "2001:db8:1:2:3::/80"
    up(system, ipv6_prefix=part)
    assert len([line for line in system.said if "nobody answers on eth0" in line]) == 1
    assert len([line for line in system.said if "ndppd" in line and part in line]) == 1
    system.said.clear()
    answered.append(IPv6Network(part))
    up(system)
    assert not [line for line in system.said if "eth0" in line]


def test_an_engine_that_translates_ipv6_is_refused_for_a_routed_prefix(system, neighbours):
    neighbours.setattr(networks, "translates_ipv6", lambda: True)
    with pytest.raises(MailpodError, match="ip6tables"):
        up(system, ipv6_prefix=PREFIX)
    neighbours.setattr(FakeEngine, "info", lambda self: EngineInfo("fake", "27.1.0", "1.0"))
    up(system, ipv6_prefix=PREFIX)


def test_when_a_network_is_full_there_is_another(system, monkeypatch):
    monkeypatch.setattr(model, "CAPACITY", 2)
    system.up(*"abcde")
    assert [account.network for account in system.store.accounts()] == [0, 0, 1, 1, 2]
    assert len(system.world.networks) == len(system.store.system().networks) == 3
    assert [container.network for name, container in system.world.containers.items() if name.endswith("-c")] == [
        "mailpod-net1"
    ]
    accounts.delete(system.process(), "a", purge=True)
    accounts.create(system.process(), "f", PASSWORD)
    assert system.store.account("f").network == 0
    installation.down(system.process(), purge=True)
    assert not system.world.networks


def test_a_prefix_that_is_full_says_so_and_leaves_nothing(system, monkeypatch):
    monkeypatch.setattr(model, "CAPACITY", 1)
    up(system, ipv6_prefix="2001:db8:1:2:3::/80")
    accounts.create(system.process(), "a", PASSWORD)
    before = system.state()
    with pytest.raises(MailpodError, match="no room for more than 1 accounts"):
        accounts.create(system.process(), "b", PASSWORD)
    assert system.state() == before


def test_a_system_of_an_older_mailpod_gets_its_networks_with_the_next_apply(system):
    system.up("alice")
    system.store.save_system(system.store.system().model_copy(update={"networks": ()}))
    with pytest.raises(MailpodError, match="older"):
        accounts.create(system.process(), "bob", PASSWORD)
    installation.apply(system.process())
    assert accounts.show(system.process(), "alice").status == "running"
    accounts.create(system.process(), "bob", PASSWORD)


def on_a_swarm(system):
    system.up("alice")
    migrating.to_swarm(system.process())
    return system


def encrypted(system):
    return {name: network.encrypted for name, network in system.world.networks.items()}


def test_a_swarm_encrypts_where_every_kernel_can(system):
    system.world.encrypts = True
    on_a_swarm(system)
    assert encrypted(system) == {"mailpod": True}
    system.check_converged()
    migrating.to_docker(system.process())
    assert encrypted(system) == {"mailpod": False}


def test_one_kernel_that_cannot_is_enough_for_a_network_without_it(system):
    system.world.encrypts = True
    on_a_swarm(system)
    system.world.encrypts = False
    installation.apply(system.process())
    assert encrypted(system) == {"mailpod": False}
    assert "packets between the machines are not encrypted from now on" in system.said
    system.check_converged()


def test_while_a_machine_is_down_nobody_can_tell(system):
    on_a_swarm(system)
    system.world.encrypts = True
    system.world.machines.append(Machine("far", "down", "2030-01-01T00:00:00Z", "worker", "1", 8 << 30))
    installation.apply(system.process())
    assert encrypted(system) == {"mailpod": False}
