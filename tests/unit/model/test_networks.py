from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpod.model import networks
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import new_id

PREFIX = "2001:db8:1:2::/64"


def test_prefixes_of_a_new_system_are_unique_local_and_differ():
    made = {networks.unique_local_prefix() for _ in range(100)}
    assert len(made) == 100
    for text in made:
        prefix = ip_network(text)
        assert isinstance(prefix, IPv6Network)
        assert prefix.prefixlen == 64
        assert prefix.subnet_of(ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (PREFIX, PREFIX),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0:0:0::/80", "2001:db8::/80"),
        ("fd12::/48", "fd12::/48"),
    ],
)
def test_a_prefix_is_routed_or_a_part_of_the_machines_own_network(given, kept):
    assert networks.routed_prefix(given) == kept


@pytest.mark.parametrize(
    "text",
    ["", "x", "2001:db8::1/64", "2001:db8::/65", "2001:db8::/96", "192.0.2.0/24", "fe80::/64", "ff02::/64", "::/0"],
)
def test_what_cannot_be_routed_is_refused(text):
    with pytest.raises(InvalidInput) as refused:
        networks.routed_prefix(text)
    assert "--ipv6-prefix" in str(refused.value)


@given(index=st.integers(0, 65535), account=st.from_regex(r"[0-9a-f]{12}", fullmatch=True))
def test_an_accounts_address_is_its_id_on_its_network(index, account):
    address = networks.account_address(PREFIX, index, account)
    assert address in IPv6Network(PREFIX)
    assert address in networks.ipv6_subnet(PREFIX, index)
    assert address.packed[-6:].hex() == account


def test_no_id_is_the_address_of_main_or_the_gateway():
    """What the engine gives away by itself begins at the lowest addresses."""
    assert min(int(new_id(), 16) for _ in range(1000)) >= 1 << 32


def test_networks_of_one_prefix_do_not_overlap():
    made = [networks.ipv6_subnet(PREFIX, index) for index in range(50)]
    assert not any(one.overlaps(other) for one in made for other in made if one is not other)


def test_a_prefix_has_an_end():
    own = "2001:db8:1:2:3::/80"
    assert str(networks.ipv6_subnet(own, 0)) == own
    with pytest.raises(MailpodError, match="no room for more than 800 accounts"):
        networks.ipv6_subnet(own, 1)


def test_mains_addresses_are_none_that_the_engine_gives_to_others():
    ipv4, ipv6 = networks.main_addresses("172.20.8.0/21", PREFIX, 1)
    assert (str(ipv4), str(ipv6)) == ("172.20.8.2", "2001:db8:1:2:1::2")
    assert networks.gateway("172.20.8.0/21") == "172.20.8.1"
    given_away = IPv4Network(networks.dynamic("172.20.8.0/21"))
    assert ipv4 not in given_away
    assert given_away.num_addresses - 2 > networks.CAPACITY


@given(st.lists(st.integers(0, 511), max_size=60))
def test_a_subnet_is_free(taken):
    there = [str(IPv4Network((int(ip_address("172.16.0.0")) + (index << 11), 24))) for index in taken]
    chosen = IPv4Network(networks.free_ipv4(["fd00::/64", "0.0.0.0/0", *there]))
    assert chosen.is_private
    assert not any(chosen.overlaps(IPv4Network(one)) for one in there)


def test_when_nothing_is_free_it_is_said():
    with pytest.raises(MailpodError, match="no subnet"):
        networks.free_ipv4(["172.16.0.0/12"])


def test_what_an_engine_takes_first_for_itself_is_taken_last():
    """172.17.0.0/16 and on, for `docker0`, and for `docker_gwbridge` of a machine that joins a Swarm."""
    assert IPv4Network(networks.free_ipv4([])).subnet_of(IPv4Network("172.24.0.0/13"))
    assert IPv4Network(networks.free_ipv4(["172.24.0.0/13"])).subnet_of(IPv4Network("172.16.0.0/13"))
