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
        "(a;b) mail.example.org; dkim=pass",
        "(a (nested;) one) mail.example.org; dkim=pass",
        "(\\);) mail.example.org; dkim=pass",
        '(";) mail.example.org; dkim=pass',
        "mail.(x)example.org; dkim=pass",
        "mail.(x;y)example.org; dkim=pass",
        '(;)"mail.example.org" 1; dkim=pass',
        "(never ended; mail.example.org; dkim=pass",
        "mail.example.org (never ended; dkim=pass",
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
        "(a;b) mx.outside.test; dkim=pass header.d=mail.example.org",
        "mx.outside.test; dkim=pass (signed (by;) mail.example.org)",
    ],
)
def test_what_another_host_has_found_is_not_ours(value):
    assert not claims_to_be(value, HOST)
