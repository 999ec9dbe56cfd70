from datetime import UTC, datetime, timedelta

import pytest

from mailpod.model.doctor.certificates import of_authority, of_certificate

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("days", "severity"), [(-1, "error"), (10, "warning"), (100, None)])
def test_a_certificate_near_its_end(days, severity):
    found = list(of_certificate("alice's", "here", NOW + timedelta(days=days), NOW))
    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.repair == "apply" for one in found)


def test_the_authority_is_told_of_a_year_before_and_not_replaced():
    (found,) = of_authority("/s/secrets/ca.pem", NOW + timedelta(days=300), NOW)
    assert (found.severity, found.repair) == ("warning", "")
    assert "mailpod ca" in found.do
