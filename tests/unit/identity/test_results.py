import pytest

from identity.results import claims_to_be

HOST = "mail.example.org"


@pytest.mark.parametrize(
    "value",
    [
        "mail.example.org; spf=pass",
        " MAIL.example.org 1; none",
        "mail.example.org",
        '"mail.example.org"; dkim=pass',
        '"mail\\.example.org"; dkim=pass',
        "(a comment)\r\n\tmail.example.org (another); dkim=pass",
        "mail.\r\n example.org; dkim=pass",
    ],
)
def test_what_a_reader_may_take_for_ours_is_known(value):
    assert claims_to_be(value, HOST)


@pytest.mark.parametrize(
    "value",
    [
        "mx.outside.test; spf=pass",
        "mx.outside.test; spf=pass smtp.mailfrom=a@mail.example.org",
        "",
        "example.org; none",
    ],
)
def test_what_another_host_has_found_is_not_ours(value):
    assert not claims_to_be(value, HOST)
