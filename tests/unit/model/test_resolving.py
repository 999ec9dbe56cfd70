from mailpod.model.records import System
from mailpod.model.resolving import render

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64")
FORWARDING = SYSTEM.model_copy(update={"resolver": "192.0.2.53"})


def configured(system, anchors=None):
    return render(system, anchors, "")["unbound/system.conf"].splitlines()


def test_it_begins_at_the_root_and_trusts_its_keys():
    assert configured(SYSTEM) == ["server:", "auto-trust-anchor-file: /data/lib/unbound/root.key"]


def test_a_resolver_of_the_operators_is_asked_for_everything():
    lines = configured(FORWARDING)
    assert lines[-3:] == ["forward-zone:", 'name: "."', "forward-addr: 192.0.2.53"]
    assert "auto-trust-anchor-file: /data/lib/unbound/root.key" in lines


def test_the_operators_anchors_take_the_place_of_the_roots():
    assert configured(SYSTEM, [". DS 1 13 2 00"]) == ["server:", 'trust-anchor: ". DS 1 13 2 00"']
    assert configured(SYSTEM, []) == ["server:"]


def test_further_authorities_are_given_as_they_are():
    assert render(SYSTEM, None, "PEM\n")["trust/authorities.pem"] == "PEM\n"
