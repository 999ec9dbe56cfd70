import pytest

from mailpod.model.errors import InvalidInput
from mailpod.model.records import LETS_ENCRYPT, System
from mailpod.services.acme_options import AcmeOptions, planned

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/48")
ASKING = planned(SYSTEM, AcmeOptions("ops@example.org", "https://acme.test/dir", "PEM"))


def test_an_address_is_enough_and_the_rest_stays_as_it_was():
    first = planned(SYSTEM, AcmeOptions("ops@example.org"))
    assert (first.acme_email, first.acme_server, first.acme_ca) == ("ops@example.org", LETS_ENCRYPT, "")
    assert planned(ASKING, AcmeOptions()) == ASKING
    other = planned(ASKING, AcmeOptions(server="https://other.test:14000/dir"))
    assert (other.acme_email, other.acme_server, other.acme_ca) == (
        "ops@example.org",
        "https://other.test:14000/dir",
        "PEM",
    )
    assert planned(ASKING, AcmeOptions(authority="")).acme_ca == ""


def test_none_gives_all_of_it_up():
    assert planned(ASKING, AcmeOptions("none")) == SYSTEM


@pytest.mark.parametrize(
    "options",
    [
        AcmeOptions("ops"),
        AcmeOptions("@example.org"),
        AcmeOptions("ops@localhost"),
        AcmeOptions("o ps@example.org"),
        AcmeOptions("ops@example.org,eve@example.org"),
        AcmeOptions("öps@example.org"),
        AcmeOptions(f"{'o' * 250}@example.org"),
        AcmeOptions("ops@example.org", "http://acme.test/dir"),
        AcmeOptions("ops@example.org", "acme.test"),
        AcmeOptions("ops@example.org", "https://"),
        AcmeOptions("ops@example.org", "https://acme.test:x/"),
        AcmeOptions("ops@example.org", "https://user:secret@acme.test/"),
        AcmeOptions("ops@example.org", "https://acme.test/a b"),
        AcmeOptions("ops@example.org", "https://[::1/"),
        AcmeOptions("none", "https://acme.test/dir"),
        AcmeOptions("none", authority=""),
        AcmeOptions(server="https://acme.test/dir"),
        AcmeOptions(authority="PEM"),
    ],
)
def test_what_cannot_be_is_refused(options):
    with pytest.raises(InvalidInput):
        planned(SYSTEM, options)
