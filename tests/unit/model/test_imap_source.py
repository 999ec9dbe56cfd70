import pytest

from mailpod.model.errors import InvalidInput
from mailpod.model.imap_source import ImapSource


@pytest.mark.parametrize(
    ("url", "user", "address"),
    [
        ("imaps://ann@mail.example.net", "ann", "mail.example.net:993"),
        ("imap://ann@mail.example.net", "ann", "mail.example.net:143"),
        ("imaps://ann@example.net@mail.example.net:1993/", "ann@example.net", "mail.example.net:1993"),
        ("imaps://ann%40example.net@[2001:db8::1]", "ann@example.net", "[2001:db8::1]:993"),
    ],
)
def test_where_mail_is(url, user, address):
    source = ImapSource.parse(url)
    assert (source.user, source.address) == (user, address)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.net",
        "https://ann@example.net",
        "imaps://example.net",
        "imaps://ann:secret@example.net",
        "imaps://ann@example.net/INBOX",
        "imaps://ann@example.net:port",
        "imaps://an%22n@example.net",
        "imaps://an%0an@example.net",
        "imaps://ann@[::1",
    ],
)
def test_what_is_no_mailbox(url):
    with pytest.raises(InvalidInput):
        ImapSource.parse(url)


def test_the_server_has_to_prove_who_it_is():
    text = ImapSource.parse("imap://ann@example.net").mbsync(own_authority=True)
    assert "TLSType STARTTLS" in text
    assert "SystemCertificates no\nCertificateFile /run/mailpod/import/ca.pem" in text
    assert "SystemCertificates" not in ImapSource.parse("imaps://ann@example.net").mbsync(own_authority=False)


def test_folders_are_left_out():
    source = ImapSource.parse("imaps://ann@example.net")
    assert "\nPatterns *\n" in source.mbsync(own_authority=False)
    text = source.mbsync(own_authority=False, without=["[Gmail]/All Mail", "Spam*"])
    assert '\nPatterns * "![Gmail]/All Mail" "!Spam*"\n' in text
