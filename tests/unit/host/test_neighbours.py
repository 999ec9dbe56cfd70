"""What /proc, ndppd's configuration and ip(8) tell of neighbour proxying."""

from ipaddress import IPv6Network

import pytest

from mailpod.host import neighbours

RULES = """\
proxy eth0 {
    # rule 2001:db8:9::/80 {
    rule 2001:db8:1:2:3::/80 {
        static
    }
    rule 2001:db8:1:2::5 { auto }
}
"""


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A /proc without any process, and no ip(8)."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sys/net/ipv6/conf/eth0").mkdir(parents=True)
    (tmp_path / "sys/net/ipv6/conf/all").mkdir()
    return tmp_path


def told(proc, name, value):
    (proc / "sys/net/ipv6/conf" / name).write_text(f"{value}\n")


def runs(proc, *words):
    (proc / "17").mkdir()
    (proc / "17/cmdline").write_text("\0".join((*words, "")))


def test_the_rules_of_a_daemon_that_runs(proc):
    configuration = proc / "ndppd.conf"
    configuration.write_text(RULES)
    assert neighbours.answered("eth0", proc) == []
    runs(proc, "/usr/sbin/ndppd", "-d", "-c", str(configuration))
    assert neighbours.answered("eth0", proc) == [IPv6Network("2001:db8:1:2:3::/80"), IPv6Network("2001:db8:1:2::5")]


def test_a_daemon_without_a_configuration_answers_for_nobody(proc):
    runs(proc, "ndppd", "-c", str(proc / "none"))
    assert neighbours.answered("eth0", proc) == []


def test_the_kernels_entries_count_where_it_is_to_answer(proc):
    program = proc / "ip"
    program.write_text('#!/bin/sh\n[ "$*" = "-6 neighbour show proxy dev eth0" ] && echo "2001:db8::5 proxy"\n')
    program.chmod(0o755)
    for setting, found in (("0", []), ("1", [IPv6Network("2001:db8::5")])):
        told(proc, "eth0/proxy_ndp", setting)
        assert neighbours.answered("eth0", proc) == found


def test_without_ip_nothing_is_known_of_entries(proc):
    told(proc, "eth0/proxy_ndp", "1")
    assert neighbours.answered("eth0", proc) == []


@pytest.mark.parametrize(
    ("forwarding", "accept_ra", "ignored"), [("1", "1", True), ("1", "2", False), ("0", "1", False), ("1", "0", False)]
)
def test_who_forwards_listens_to_routers_on_demand_alone(proc, forwarding, accept_ra, ignored):
    told(proc, "all/forwarding", forwarding)
    told(proc, "eth0/accept_ra", accept_ra)
    assert neighbours.ignores_routers("eth0", proc) == ignored
