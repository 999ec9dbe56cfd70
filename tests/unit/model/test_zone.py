"""What the zone says of a system."""

import dns.rdata
import dns.zone
from hypothesis import given
from hypothesis import strategies as st

from mailpod.model import zone
from mailpod.model.dkim import DkimRecord
from mailpod.model.records import Account, System, now
from mailpod.model.zone import Record

KEY = "ab" * 32
SYSTEM = System(
    domain="example.org",
    instance="mailpod",
    bind="198.51.100.7",
    ipv6_subnet="2001:db8:1:2::/64",
    ipv6_routed=True,
    networks=("172.20.0.0/21",),
    dns="built-in",
)
ALICE = Account(id="0123456789ab", name="alice", created=now())


def found(records, name, kind):
    return [one.data for one in records if (one.name, one.kind) == (name, kind)]


def test_main_takes_the_mail_of_the_domain_and_of_every_account():
    assert found(zone.of_system(SYSTEM, KEY), "example.org", "MX") == ["10 mail.example.org."]
    assert found(zone.of_account(SYSTEM, ALICE), "alice.example.org", "MX") == ["10 mail.example.org."]


def test_main_is_found_by_both_families():
    records = zone.of_system(SYSTEM, KEY)
    for host in ("example.org", "mail.example.org", "webmail.example.org", "imap.example.org", "smtp.example.org"):
        assert found(records, host, "A") == ["198.51.100.7"]
        assert found(records, host, "AAAA") == ["2001:db8:1:2::2"]


def test_the_name_server_has_addresses_of_its_own():
    records = zone.of_nameserver(SYSTEM)
    assert found(records, "example.org", "NS") == ["ns1.example.org."]
    assert found(records, "ns1.example.org", "A") == ["198.51.100.7"]
    assert found(records, "ns1.example.org", "AAAA") == ["2001:db8:1:2::3"]


def test_an_address_that_nobody_outside_reaches_is_not_told():
    inside = SYSTEM.model_copy(update={"bind": "0.0.0.0", "ipv6_subnet": "fd00:1:2:3::/64", "ipv6_routed": False})
    records = [*zone.of_system(inside, KEY), *zone.of_account(inside, ALICE)]
    assert not [one for one in records if one.kind in {"A", "AAAA"}]
    public = inside.model_copy(update={"public_ipv4": "198.51.100.8"})
    assert found(zone.of_system(public, KEY), "mail.example.org", "A") == ["198.51.100.8"]


def test_an_account_has_its_own_address():
    assert found(zone.of_account(SYSTEM, ALICE), "alice.example.org", "AAAA") == ["2001:db8:1:2:0:123:4567:89ab"]


def test_main_alone_may_send():
    assert found(zone.of_system(SYSTEM, KEY), "example.org", "TXT") == ['"v=spf1 a:mail.example.org -all"']
    assert found(zone.of_system(SYSTEM, KEY), "mail.example.org", "TXT") == ['"v=spf1 a -all"']
    assert found(zone.of_account(SYSTEM, ALICE), "alice.example.org", "TXT") == ['"v=spf1 a:mail.example.org -all"']


def test_clients_find_the_ports_as_they_are_published():
    moved = SYSTEM.model_copy(update={"port_base": 20000})
    for records, name in (
        (zone.of_system(moved, KEY), "example.org"),
        (zone.of_account(moved, ALICE), "alice.example.org"),
    ):
        assert found(records, f"_imaps._tcp.{name}", "SRV") == ["0 1 20993 imap.example.org."]
        assert found(records, f"_submissions._tcp.{name}", "SRV") == ["0 1 20465 smtp.example.org."]


def test_the_key_of_the_mx_is_told_where_the_zone_is_signed():
    assert found(zone.of_system(SYSTEM, KEY), "_25._tcp.mail.example.org", "TLSA") == [f"3 1 1 {KEY}"]
    elsewhere = SYSTEM.model_copy(update={"dns": "elsewhere"})
    assert not [one for one in zone.of_system(elsewhere, KEY) if one.kind in {"TLSA", "NS"}]


def test_nobody_but_the_server_that_is_asked_may_give_certificates_for_our_names():
    asking = SYSTEM.model_copy(update={"acme_email": "ops@example.org"})
    allowed = ['0 issue "letsencrypt.org"']
    assert found(zone.of_system(asking, KEY), "mail.example.org", "CAA") == allowed
    assert found(zone.of_account(asking, ALICE), "alice.example.org", "CAA") == allowed
    assert found(zone.of_system(asking, KEY), "example.org", "CAA") == []
    other = asking.model_copy(update={"acme_server": "https://letsencrypt.org.test/"})
    for system in (SYSTEM, other):
        records = [*zone.of_system(system, KEY), *zone.of_account(system, ALICE)]
        assert not [one for one in records if one.kind == "CAA"]


def test_a_long_key_is_cut_into_strings():
    [record] = zone.of_keys([DkimRecord("example.org", "s1", "v=DKIM1; k=rsa; p=" + "A" * 392)])
    assert (record.name, record.kind) == ("s1._domainkey.example.org", "TXT")
    strings = dns.rdata.from_text("IN", "TXT", record.data).strings
    assert [len(one) for one in strings] == [255, 155]
    assert b"".join(strings).decode() == "v=DKIM1; k=rsa; p=" + "A" * 392


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=600))
def test_every_text_is_read_as_it_was_written(value):
    data = dns.rdata.from_text("IN", "TXT", zone.text(value))
    assert b"".join(data.strings).decode() == value


def test_it_is_a_zone_file_that_others_can_read():
    records = [*zone.of_system(SYSTEM, KEY), *zone.of_account(SYSTEM, ALICE)]
    soa = f"example.org. 300 IN SOA {zone.soa(SYSTEM)}"
    read = dns.zone.from_text("\n".join([soa, *(one.line() for one in records)]), "example.org")
    assert read.find_rdataset("alice", "MX")[0].to_text() == "10 mail"


def test_the_operators_own_records_take_the_place_of_ours():
    ours = [
        Record("example.org", "A", "192.0.2.1"),
        Record("example.org", "MX", "10 mail.example.org."),
        Record("_dmarc.example.org", "TXT", '"v=DMARC1; p=quarantine"'),
        Record("autoconfig.alice.example.org", "CNAME", "mail.example.org."),
    ]
    own = [
        Record("example.org", "A", "192.0.2.80"),
        Record("www.example.org", "CNAME", "example.org."),
        Record("_dmarc.example.org", "CNAME", "dmarc.example.net."),
        Record("autoconfig.alice.example.org", "A", "192.0.2.81"),
    ]
    assert set(zone.overridden(ours, own)) == {ours[1], *own}


def test_a_text_of_the_operators_stands_beside_ours_unless_it_is_of_the_same_sort():
    spf, key = (
        Record("example.org", "TXT", '"v=spf1 a:mail.example.org -all"'),
        Record("s1._domainkey.example.org", "TXT", '"v=DKIM1; k=ed25519; p=abc"'),
    )
    site, other = (
        Record("example.org", "TXT", '"site-verification=x"'),
        Record("example.org", "TXT", '"v=spf1 mx -all"'),
    )
    old = Record("s1._domainkey.example.org", "TXT", '"v=DKIM1; p="')
    assert set(zone.overridden([spf, key], [site])) == {spf, key, site}
    assert set(zone.overridden([spf, key], [site, other, old])) == {site, other, old}


def resolved(records, name, kind):
    """What a resolver gets, by the rules for wildcards (RFC 4592): the nearest name above that exists decides."""
    there = {one.name for one in records}
    exist = there | {".".join(one.split(".")[number:]) for one in there for number in range(one.count("."))}
    if name not in exist:
        nearest = name
        while nearest not in exist:
            nearest = nearest.partition(".")[2]
        name = f"*.{nearest}"
    return found(records, name, kind)


ELSEWHERE = SYSTEM.model_copy(update={"dns": "elsewhere"})
BOB = ALICE.model_copy(update={"name": "bob"})


def with_wildcards(*others):
    base = [
        *zone.of_system(ELSEWHERE, KEY),
        *zone.of_keys([DkimRecord("example.org", "rsa-1", "v=DKIM1; p=x")]),
        *others,
    ]
    return [*base, *zone.of_any_account(ELSEWHERE, [ALICE, BOB], others)]


def test_a_wildcard_leads_mail_to_every_account():
    records = with_wildcards()
    for name in ("alice.example.org", "bob.example.org", "made-tomorrow.example.org"):
        assert resolved(records, name, "MX") == ["10 mail.example.org."]
        assert resolved(records, name, "TXT") == ['"v=spf1 a:mail.example.org -all"']
        assert resolved(records, name, "A") == []
        # What is there is no policy, so that the organisation's own counts (RFC 7489 section 6.6.3).
        assert not [one for one in resolved(records, f"_dmarc.{name}", "TXT") if one.startswith('"v=DMARC1')]
    assert resolved(records, "webmail.example.org", "MX") == []


def test_a_wildcard_does_not_count_for_an_account_with_a_name_below_it():
    records = with_wildcards(
        Record("www.alice.example.org", "A", "192.0.2.80"), Record("bobby.example.org", "A", "192.0.2.81")
    )
    for name in ("alice.example.org", "bob.example.org"):
        assert resolved(records, name, "MX") == ["10 mail.example.org."]
        assert resolved(records, name, "TXT") == ['"v=spf1 a:mail.example.org -all"']
    assert found(records, "bob.example.org", "MX") == []


def test_all_records_of_one_account_and_a_wildcard_for_others_go_together():
    records = [*with_wildcards(), *zone.of_account(ELSEWHERE, ALICE)]
    for name in ("alice.example.org", "bob.example.org"):
        assert resolved(records, name, "MX") == ["10 mail.example.org."]
