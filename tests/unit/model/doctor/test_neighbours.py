from ipaddress import IPv6Network

import pytest

from mailpod.model.doctor.neighbours import of_neighbours, of_router, unanswered

PREFIX = "2001:db8:1:2:3::/80"
NEEDED = {"main": "2001:db8:1:2:3::2", "alice": "2001:db8:1:2:3:a:b:c"}


@pytest.mark.parametrize(
    ("answered", "missing"),
    [
        ([], {"main", "alice"}),
        ([PREFIX], set()),
        (["2001:db8:1:2::/64"], set()),
        (["2001:db8:1:2:4::/80"], {"main", "alice"}),
        (["2001:db8:1:2:3::2/128"], {"alice"}),
    ],
)
def test_addresses_that_nobody_answers_for(answered, missing):
    assert unanswered(NEEDED, map(IPv6Network, answered)).keys() == missing


def test_they_are_told_in_one_finding():
    (found,) = of_neighbours(NEEDED, PREFIX, "eth0")
    assert (found.severity, found.where) == ("error", "eth0")
    assert "2001:db8:1:2:3::2 of main, and 1 more" in found.what
    assert PREFIX in found.do
    assert not list(of_neighbours({}, PREFIX, "eth0"))


@pytest.mark.parametrize(("ignored", "known", "wrong"), [(True, False, 1), (False, False, 0), (True, True, 0)])
def test_a_router_that_is_forgotten(ignored, known, wrong):
    found = list(of_router("eth0", ignored=ignored, known=known))
    assert [one.do for one in found] == ["sysctl net.ipv6.conf.eth0.accept_ra=2"] * wrong
