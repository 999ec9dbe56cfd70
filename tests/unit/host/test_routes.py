import pytest

from mailpod.host import routes

IPV4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
NONE = "0" * 32
OWN = "20010db8000100020000000000000000"
ELSEWHERE = "20010db800ff00000000000000000000"


def ipv6(destination, length, next_hop, flags, interface):
    return f"{destination} {length:02x} {NONE} 00 {next_hop} 00000100 00000001 00000000 {flags:08x} {interface:>8}\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "ipv6_route"
    path.write_text(
        ipv6(OWN, 64, NONE, 0x1, "eth0")
        + ipv6(ELSEWHERE, 48, OWN[:-1] + "1", 0x3, "eth0")
        + ipv6(NONE, 0, OWN[:-1] + "1", 0x3, "eth0")
        + ipv6("20010db8000300040005000000000000", 80, NONE, 0x1, "br-0123456789ab")
        + ipv6(NONE, 0, NONE, 0x200200, "lo")
    )
    return path


def test_networks_with_a_route(tmp_path):
    path = tmp_path / "route"
    path.write_text(IPV4)
    assert routes.ipv4_networks(path) == ["192.0.2.0/24", "172.17.0.0/16"]
    assert routes.ipv4_networks(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("2001:db8:1:2:3::/80", ("eth0", "2001:db8:1:2::/64")),
        ("2001:db8:1:2::/64", ("eth0", "2001:db8:1:2::/64")),
        ("2001:db8:1::/48", None),
        ("2001:db8:ff:1::/64", None),
        # that the engine has it already, for this system itself
        ("2001:db8:3:4:5::/80", None),
    ],
)
def test_a_part_of_the_machines_own_network_is_known(table, prefix, found):
    assert routes.on_link(prefix, table) == found


def test_the_interface_of_the_default_route(table):
    assert [routes.leads_out(name, table) for name in ("eth0", "br-0123456789ab")] == [True, False]


def test_a_machine_without_ipv6_has_no_such_network(tmp_path):
    assert routes.on_link("2001:db8::/64", tmp_path / "none") is None
