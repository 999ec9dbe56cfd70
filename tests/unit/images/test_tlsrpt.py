"""Reports of how it went with TLS: whom tlsrpt-reporter sends them to, as main has it configured."""

import io
import logging

import pytest
from tlsrpt_reporter import mapping

from mailpod.services.images import MAIN

FOLDER = MAIN.context / "tlsrpt"


@pytest.fixture(scope="module")
def sent():
    """Which of the destinations in a domain's record a report goes to."""
    destinations = mapping.DestinationMap()
    destinations.read_from_ios(io.StringIO(), *(io.StringIO((FOLDER / name).read_text()) for name in ("mail", "https")))
    return lambda *asked: list(destinations.map_destination("club.test", list(asked), logging.getLogger()))


@pytest.mark.parametrize(
    "destination",
    [
        "mailto:tls@club.test",
        "mailto:tls-reports+club_1@a.b.club-2.test",
        "https://club.test",
        "https://reports.club.test/v1?key=a%20b",
    ],
)
def test_a_report_goes_where_it_is_asked_for(sent, destination):
    assert sent(destination) == [destination]


@pytest.mark.parametrize(
    "destination",
    [
        # The first four would end tlsrpt-reportd, and with it all other reports.
        'mailto:"',
        "mailto:<",
        "mailto:a@[1",
        "mailto:a@club.test\nBcc: b@club.test",
        "mailto:",
        "mailto:a@club.test c@club.test",
        "mailto:a@club.test?cc=b@club.test",
        "mailto:-f@club.test",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://club.test:8443/",
        "https://a@club.test/",
        "https://club.test/ x",
        "https:/etc/passwd",
    ],
)
def test_no_report_goes_where_none_can_be_wanted(sent, destination):
    assert sent(destination, "mailto:tls@club.test") == ["mailto:tls@club.test"]
