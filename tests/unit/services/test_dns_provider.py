"""What octoDNS is asked to do at a provider."""

import logging
from types import SimpleNamespace

import pytest
import requests
from octodns.provider.base import BaseProvider
from octodns.record import Record

from mailpod.model.errors import MailpodError
from mailpod.model.zone import text
from mailpod.services import dns_provider
from mailpod.services.dns_provider import Provider

KEY = text("v=DKIM1; k=rsa; p=" + "A" * 390)
RECORDS = {
    ("www", "A"): {"ttl": 60, "type": "A", "value": "192.0.2.80"},
    ("", "MX"): {"ttl": 300, "type": "MX", "value": {"preference": 5, "exchange": "old.example.org."}},
    ("alice", "CNAME"): {"ttl": 300, "type": "CNAME", "value": "www.example.org."},
}


class FakeProvider(BaseProvider):
    """A provider with one zone; what is applied is written down."""

    SUPPORTS_GEO = SUPPORTS_DYNAMIC = False
    SUPPORTS = {"A", "CNAME", "MX", "TXT"}  # noqa: RUF012
    applied: list[str] = []  # noqa: RUF012
    problem: Exception | None = None

    def __init__(self, id_, **options):
        self.log = logging.getLogger(id_)
        super().__init__(id_)
        assert options == {"token": "t"}

    def populate(self, zone, target=False, lenient=False):
        if self.problem:
            raise self.problem
        if zone.name != "example.org.":
            return False
        for (name, _), data in RECORDS.items():
            zone.add_record(Record.new(zone, name, data, source=self, lenient=lenient))
        return True

    def _apply(self, plan):
        self.applied.extend(
            sorted(f"{type(one).__name__} {one.record.fqdn} {one.record._type}" for one in plan.changes)
        )


@pytest.fixture
def there(monkeypatch):
    monkeypatch.setattr(FakeProvider, "applied", [])
    module = SimpleNamespace(GandiProvider=FakeProvider)
    monkeypatch.setattr(dns_provider, "importlib", SimpleNamespace(import_module=lambda _name: module))
    return Provider("gandi", {"token": "t"}, "example.org")


def test_what_is_there_is_told_as_everywhere(there):
    assert there.held([("example.org", "MX"), ("www.example.org", "AAAA")]) == {
        ("example.org", "MX"): {"5 old.example.org."}
    }


def test_only_what_is_named_is_changed(there):
    there.update(
        {
            ("example.org", "MX"): frozenset({"10 mail.example.org."}),
            ("k._domainkey.example.org", "TXT"): frozenset({KEY}),
            ("alice.example.org", "CNAME"): frozenset(),
            ("alice.example.org", "MX"): frozenset({"10 mail.example.org."}),
            ("nothing.example.org", "TXT"): frozenset(),
        }
    )
    assert FakeProvider.applied == [
        "Create alice.example.org. MX",
        "Create k._domainkey.example.org. TXT",
        "Delete alice.example.org. CNAME",
        "Update example.org. MX",
    ]


def test_nothing_is_sent_where_nothing_is_another(there):
    there.update({("example.org", "MX"): frozenset({"5 old.example.org."})})
    assert FakeProvider.applied == []


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (requests.ConnectionError("no route to host"), "gandi does not answer as it should: no route to host"),
        (ValueError("token\nis bad"), "gandi refused: token is bad"),
        (None, "gandi has no zone example.net"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(there, monkeypatch, problem, said):
    monkeypatch.setattr(FakeProvider, "problem", problem)
    zone = "example.org" if problem else "example.net"
    with pytest.raises(MailpodError) as refused:
        Provider("gandi", {"token": "t"}, zone).held([])
    assert refused.value.what == said
    assert refused.value.hint
