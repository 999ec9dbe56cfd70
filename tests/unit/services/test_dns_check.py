"""What is said of the public DNS."""

import pytest

from mailpod.services import dns, dns_check, installation
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
        self.silent = set()

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


def amiss(context, resolver):
    return [(one.name, one.kind, one.verdict) for one in dns_check.check(context, resolver) if one.verdict != "right"]


def test_all_is_right(context, resolver):
    assert amiss(context, resolver) == []


def test_what_is_not_there_is_missing(context, resolver):
    del resolver.answers["example.org", "MX"]
    del resolver.answers["example.org", "DS"]
    assert amiss(context, resolver) == [("example.org", "MX", "missing"), ("example.org", "DS", "missing")]
    required = {one.kind: one.required for one in dns_check.check(context, resolver) if one.verdict == "missing"}
    assert required == {"MX": True, "DS": False}


def test_mail_that_others_may_take_too_is_wrong(context, resolver):
    resolver.answers["example.org", "MX"].add("20 mx.example.net.")
    [found] = [one for one in dns_check.check(context, resolver) if one.verdict != "right"]
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
    [found] = [one for one in dns_check.check(context, resolver) if one.verdict != "right"]
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
    [found] = [one for one in dns_check.check(context, resolver) if one.verdict != "right"]
    assert (found.name, found.kind, found.verdict, found.hint) == ("mail.example.org", "A", "unknown", "nobody answers")
