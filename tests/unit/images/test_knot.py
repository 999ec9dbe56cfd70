"""What Knot is told of signatures fits what secondaries are told of their copies."""

import re

from mailpod.model import zone
from mailpod.model.records import System
from mailpod.services.images import DNS

_DAY = 86400


def days(setting):
    [number] = re.findall(rf"^ +{setting}: (\d+)d$", (DNS.context / "knot.conf").read_text(), re.MULTILINE)
    return int(number) * _DAY


def test_signatures_outlive_the_copies_they_are_in():
    system = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64")
    refresh, expire = map(int, zone.soa(system).split()[3:6:2])
    # A copy may have been fetched just before signatures were made anew.
    assert days("rrsig-refresh") > expire + refresh
    assert days("rrsig-refresh") < days("rrsig-lifetime")
