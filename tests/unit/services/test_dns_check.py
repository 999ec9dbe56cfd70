"""What is said of the public DNS."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mailpod.model.records import now
from mailpod.services import certificate_check, certificates, dns, dns_check, installation, lookup
from mailpod.services.keys import new_key
from mailpod.services.lookup import Unknown, canonical

ADDRESS = "198.51.100.7"


class FakeResolver:
    """The public DNS, at first as it should be."""

    def __init__(self, context):
        self.answers = {}
        for one in dns.records(context):
            self.answers.setdefault((one.name, one.kind), set()).add(canonical(one.kind, one.data))
        self.answers["example.org", "DS"] = {canonical("DS", one) for one in dns.delegation(context)}
        self.answers["7.100.51.198.in-addr.arpa", "PTR"] = {"mail.example.org."}
        self.answers["gmail.com", "MX"] = {"20 b.example.net.", "5 a.example.net."}
        self.answers["a.example.net", "A"] = {"192.0.2.25"}
        self.silent = set()
        self.verified = {"example.org", "."}

    def verifies(self, name):
        if (name, "DNSSEC") in self.silent:
            raise Unknown("signed wrongly")
        return name in self.verified

    def ask(self, name, kind):
        if (name, kind) in self.silent:
            raise Unknown("nobody answers")
        return self.answers.get((name, kind), set())


@pytest.fixture
def context(system):
    system.dns = "built-in"
    installation.up(system.process(), system.planned(bind=ADDRESS))
    return system.process()


@pytest.fixture
def resolver(context):
    return FakeResolver(context)


class FakePorts:
    """Who answers, at first everybody as should be."""

    def __init__(self):
        self.said = {(ADDRESS, 25): "220 mail.example.org ESMTP", ("192.0.2.25", 25): "220 a.example.net ESMTP"}
        self.silent = set()
        self.shown = {}

    def certificate(self, address, port, *, starttls=False):
        assert starttls == (port == 25)
        if (address, port) in self.silent:
            raise TimeoutError
        return self.shown[port]

    def __call__(self, address, port, *, greeted=False):
        if (address, port) in self.silent:
            raise TimeoutError
        return self.said[address, port] if greeted else ""


def of_main(context):
    return certificates.leaf(certificates.shown(context.main_certificate, context.system))


def check(context, resolver, ports=None):
    ports = ports or FakePorts()
    ports.shown = dict.fromkeys((25, 443), of_main(context).public_bytes(Encoding.DER)) | ports.shown
    found = dns_check.check(context, resolver, ports)
    return [one for one in found if one.verdict != "right"]


def amiss(context, resolver, ports=None):
    return [(one.name, one.kind, one.verdict) for one in check(context, resolver, ports)]


def test_all_is_right(context, resolver):
    assert amiss(context, resolver) == []


def test_what_is_not_there_is_missing(context, resolver):
    del resolver.answers["example.org", "MX"]
    del resolver.answers["example.org", "DS"]
    assert amiss(context, resolver) == [("example.org", "MX", "missing"), ("example.org", "DS", "missing")]
    required = {one.kind: one.required for one in check(context, resolver)}
    assert required == {"MX": True, "DS": False}


def test_a_domain_that_is_not_delegated_is_the_registrars_to_delegate(context, resolver):
    resolver.answers = {}
    hints = {(one.name, one.kind): one.hint for one in check(context, resolver)}
    assert hints["example.org", "NS"] == (
        f"delegate the domain at the registrar, to the name servers ns1.example.org ({ADDRESS})"
    )
    assert "is delegated (NS)" in hints["example.org", "MX"]
    assert not [hint for hint in hints.values() if hint == "see: mailpod dns show"]


def test_name_servers_of_somebody_else_alone_are_no_delegation(context, resolver):
    resolver.answers["example.org", "NS"] = {"ns1.parked.example."}
    [found] = check(context, resolver)
    assert (found.kind, found.verdict, found.required) == ("NS", "missing", True)
    assert found.hint.startswith("delegate the domain at the registrar")


def test_served_elsewhere_the_zone_is_the_operators_to_fill(system):
    context = system.up().process()
    resolver = FakeResolver(context)
    del resolver.answers["example.org", "MX"]
    [mx] = [one for one in check(context, resolver) if one.kind == "MX"]
    assert mx.hint == "see: mailpod dns show"


OTHER = "1 13 2 " + "cd" * 32


def test_an_anchor_of_other_keys_alone_cuts_the_domain_off(context, resolver):
    right = resolver.answers["example.org", "DS"]
    resolver.answers["example.org", "DS"] = {OTHER}
    [found] = check(context, resolver)
    assert (found.kind, found.verdict, found.required) == ("DS", "wrong", True)
    assert "takes the domain for forged" in found.hint
    resolver.answers["example.org", "DS"] = right | {OTHER}
    [found] = check(context, resolver)
    assert (found.kind, found.verdict, found.required) == ("DS", "wrong", False)


def test_mail_that_others_may_take_too_is_wrong(context, resolver):
    resolver.answers["example.org", "MX"].add("20 mx.example.net.")
    [found] = check(context, resolver)
    assert (found.kind, found.verdict, found.found) == ("MX", "wrong", ("10 mail.example.org.", "20 mx.example.net."))
    assert found.hint


def test_a_second_policy_is_wrong_and_another_text_is_not(context, resolver):
    resolver.answers["example.org", "TXT"].add('"some-verification=1"')
    assert amiss(context, resolver) == []
    resolver.answers["example.org", "TXT"].add('"v=spf1 -all"')
    assert amiss(context, resolver) == [("example.org", "TXT", "wrong")]


def test_more_name_servers_are_welcome(context, resolver):
    resolver.answers["example.org", "NS"].add("ns2.example.net.")
    assert amiss(context, resolver) == []


def test_the_reverse_name_is_the_providers_to_set(context, resolver):
    resolver.answers["7.100.51.198.in-addr.arpa", "PTR"] = {"static-7.example.net."}
    [found] = check(context, resolver)
    assert (found.kind, found.required) == ("PTR", True)
    assert ADDRESS in found.hint


def test_an_address_on_a_blocklist_is_told(context, resolver):
    resolver.answers["7.100.51.198.zen.spamhaus.org", "A"] = {"127.0.0.2"}
    resolver.answers["7.100.51.198.bl.spamcop.net", "A"] = {"127.255.255.254"}
    assert amiss(context, resolver) == [
        ("7.100.51.198.zen.spamhaus.org", "A", "wrong"),
        ("7.100.51.198.bl.spamcop.net", "A", "unknown"),
    ]


def test_a_resolver_that_does_not_answer_says_nothing_of_the_zone(context, resolver):
    resolver.silent.add(("mail.example.org", "A"))
    [found] = check(context, resolver)
    assert (found.name, found.kind, found.verdict, found.hint) == ("mail.example.org", "A", "unknown", "nobody answers")


def test_ports_that_nobody_reaches_are_missing(context, resolver):
    ports = FakePorts()
    ports.silent = {(ADDRESS, 25), (ADDRESS, 993), (ADDRESS, 53)}
    found = check(context, resolver, ports)
    assert [(one.name, one.kind, one.verdict, one.found, one.required) for one in found] == [
        (ADDRESS, "25/tcp", "missing", ("no answer",), True),
        (ADDRESS, "993/tcp", "missing", ("no answer",), False),
        (ADDRESS, "53/tcp", "missing", ("no answer",), True),
        (ADDRESS, "25/tcp certificate", "unknown", (), False),
    ]
    assert f"nc -vz {ADDRESS} 25" in found[0].hint


def test_another_server_at_the_address_is_wrong(context, resolver):
    ports = FakePorts()
    ports.said[ADDRESS, 25] = "220 router.example.net ESMTP"
    [found] = check(context, resolver, ports)
    assert (found.kind, found.verdict, found.found) == ("25/tcp", "wrong", ("220 router.example.net ESMTP",))


def test_a_provider_that_lets_no_mail_out_is_found_at_the_first_mail_server_of_a_well_known_domain(context, resolver):
    ports = FakePorts()
    ports.silent = {("192.0.2.25", 25)}
    [found] = check(context, resolver, ports)
    assert (found.name, found.kind, found.verdict, found.required) == ("gmail.com", "25/tcp out", "missing", True)
    assert "--relay-host" in found.hint
    ports.silent = set()
    del resolver.answers["gmail.com", "MX"]
    assert amiss(context, resolver, ports) == [("gmail.com", "25/tcp out", "unknown")]


def test_where_all_leaves_through_a_relay_host_that_one_is_tried(system, context, resolver):
    context.adopt(context.system.model_copy(update={"relay_host": "192.0.2.99", "relay_port": 465}))
    ports = FakePorts()
    ports.silent = {("192.0.2.25", 25)}
    resolver.answers["example.org", "TXT"] = {'"v=spf1 a:mail.example.org include:example.net -all"'}
    assert ("192.0.2.99", "465/tcp out", "missing") not in amiss(context, resolver, ports)
    ports.silent = {("192.0.2.99", 465)}
    assert ("192.0.2.99", "465/tcp out", "missing") in amiss(context, resolver, ports)


def test_that_spf_does_not_name_the_relay_host_is_told_until_it_names_more_than_main(context, resolver):
    context.adopt(context.system.model_copy(update={"relay_host": "smtp.example.net", "relay_port": 465}))
    [found] = check(context, resolver)
    assert (found.name, found.kind, found.verdict, found.required) == ("example.org", "TXT (SPF)", "missing", False)
    assert "smtp.example.net" in found.hint
    assert "records.zone" in found.hint
    more = '"v=spf1 a:mail.example.org " "include:spf.example.net -all"'
    resolver.answers["example.org", "TXT"] = {more, '"another text"'}
    assert ("example.org", "TXT (SPF)", "missing") not in amiss(context, resolver)
    resolver.silent = {("example.org", "TXT")}
    assert ("example.org", "TXT (SPF)", "unknown") in amiss(context, resolver)


def test_a_certificate_that_is_over_is_told_for_both_ports(context, resolver, monkeypatch):
    monkeypatch.setattr(certificate_check, "now", lambda: now() + timedelta(days=40000))
    first, second = check(context, resolver)
    assert {first.kind, second.kind} == {"25/tcp certificate", "443/tcp certificate"}
    assert (first.name, first.verdict, first.required) == (ADDRESS, "wrong", False)
    assert "mailpod apply" in first.hint
    assert first.found[0].startswith("valid until ")


def test_a_key_that_the_dns_does_not_name_is_told_and_breaks_mail(context, resolver):
    ports = FakePorts()
    other = context.keys.certify(new_key(), ("mail.example.org",))
    ports.shown = {25: certificates.leaf(other).public_bytes(Encoding.DER)}
    [found] = check(context, resolver, ports)
    assert (found.name, found.kind, found.verdict, found.required) == (ADDRESS, "25/tcp certificate", "wrong", True)
    assert set(found.wanted) == resolver.answers["_25._tcp.mail.example.org", "TLSA"]
    assert found.found[0].startswith("3 1 1 ")
    resolver.silent = {("_25._tcp.mail.example.org", "TLSA")}
    assert ports.shown
    assert {one.kind for one in check(context, resolver, ports)} == {"TLSA"}


def test_a_certificate_of_somebody_else_is_told_and_none_is_not_known(context, resolver):
    ports = FakePorts()
    router = context.keys.certify(new_key(), ("router.example.net",))
    ports.shown = {25: b"", 443: certificates.leaf(router).public_bytes(Encoding.DER)}
    assert amiss(context, resolver, ports) == [
        (ADDRESS, "25/tcp certificate", "wrong"),
        (ADDRESS, "443/tcp certificate", "wrong"),
    ]
    ports.silent = {(ADDRESS, 443)}
    assert (ADDRESS, "443/tcp certificate", "unknown") in amiss(context, resolver, ports)


def test_signatures_lead_to_the_root_or_it_is_told_why_not(context, resolver):
    resolver.verified = {"."}
    assert amiss(context, resolver) == [("example.org", "DNSSEC", "missing")]
    resolver.verified = set()
    assert amiss(context, resolver) == [("example.org", "DNSSEC", "unknown")]
    resolver.silent.add(("example.org", "DNSSEC"))
    assert amiss(context, resolver) == [("example.org", "DNSSEC", "wrong")]


def test_a_secondary_has_the_zone_as_it_is(context, resolver, monkeypatch):
    context.adopt(context.system.model_copy(update={"secondaries": {"ns2.example.net": ("192.0.2.53",)}}))
    resolver.answers["example.org", "NS"].add("ns2.example.net.")
    soa = "ns1.example.org. hostmaster.example.org. {} 1 2 3 4"
    context.__dict__["nameserver"].values = lambda _name, _kind: {soa.format(7)}
    copies = {"192.0.2.53": {soa.format(7)}}
    monkeypatch.setattr(lookup, "held", lambda address, _name, _kind: copies[address])
    assert amiss(context, resolver) == []
    copies["192.0.2.53"] = {soa.format(6)}
    [found] = check(context, resolver)
    assert (found.name, found.verdict, found.wanted, found.found) == ("ns2.example.net", "wrong", ("7",), ("6",))
