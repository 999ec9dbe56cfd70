"""What the two sides of a zone's copy are told."""

import pytest

from mailpod.model import secondary
from mailpod.model.errors import InvalidInput
from mailpod.model.secondary import Secondary

SECRET = "c2VjcmV0"
NS2 = Secondary("ns2.example.net", ("192.0.2.53", "2001:db8::53"), SECRET)


def test_names_and_addresses_are_written_in_one_way():
    found = secondary.checked("example.org", "NS2.Example.net.", ("192.0.2.53", "2001:DB8:0::53", "192.0.2.53"))
    assert found == ("ns2.example.net", ("192.0.2.53", "2001:db8::53"))
    assert secondary.checked("example.org", "ns2.example.org", ("192.0.2.53",))[0] == "ns2.example.org"


@pytest.mark.parametrize(
    "name",
    ["ns2", "example.org", "ns1.example.org", "alice.example.org", "ns.alice.example.org", "a b.net", ""],
)
def test_what_cannot_be_its_name_is_refused(name):
    with pytest.raises(InvalidInput):
        secondary.checked("example.org", name, ("192.0.2.53",))


@pytest.mark.parametrize("address", ["", "ns2.example.net", "192.0.2.53/32", "192.0.2.53, 192.0.2.54"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InvalidInput):
        secondary.checked("example.org", "ns2.example.net", (address,))


def test_the_primary_gives_it_to_who_has_its_key_alone():
    told = secondary.primary_side("Y29udHJvbA==", [NS2])
    assert "  - id: control\n    algorithm: hmac-sha256\n    secret: Y29udHJvbA==\n" in told
    assert "    address: [ 192.0.2.53, 2001:db8::53 ]\n    key: ns2.example.net\n" in told
    assert "  - id: secondaries\n    key: [ ns2.example.net ]\n    action: transfer\n" in told
    assert "secondaries" not in secondary.primary_side("Y29udHJvbA==", [])


def test_the_name_server_is_made_anew_when_what_it_is_told_is_another():
    other = Secondary(NS2.name, NS2.addresses, "b3RoZXI=")
    assert len({secondary.digest(known) for known in ([], [NS2], [other], [NS2, other])}) == 4
    assert secondary.digest([]) == ""


def test_the_secondary_is_told_where_the_primary_is():
    primaries = (("198.51.100.7", 20053), ("2001:db8:1::3", 53))
    assert "    address: [ 198.51.100.7@20053, 2001:db8:1::3 ]\n" in secondary.for_knot("example.org", primaries, NS2)
    bind = secondary.for_bind("example.org", primaries, NS2)
    assert 'primaries { 198.51.100.7 port 20053 key "ns2.example.net"; 2001:db8:1::3 port 53 key' in bind
    assert f'key "ns2.example.net" {{ algorithm hmac-sha256; secret "{SECRET}"; }};' in bind
