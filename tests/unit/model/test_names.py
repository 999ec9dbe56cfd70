import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpod.model.errors import InvalidInput
from mailpod.model.names import MAX_DOMAIN, ROLES, account_name, domain, is_label, is_reserved

INNER = string.ascii_letters + string.digits + "-"
ENDS = string.ascii_letters + string.digits


@st.composite
def labels(draw):
    """DNS labels of 1 to 63 characters, in any case."""
    middle = draw(st.text(INNER, max_size=61))
    last = draw(st.text(ENDS, min_size=1 if middle else 0, max_size=1))
    return draw(st.sampled_from(ENDS)) + middle + last


def allowed(label):
    return label[2:4] != "--" and not is_reserved(label.lower())


@given(labels().filter(allowed))
def test_every_label_is_a_name_and_is_folded(label):
    assert account_name(label) == label.lower()


@given(st.text(max_size=70))
def test_everything_else_is_refused(text):
    wellformed = 1 <= len(text) <= 63 and set(text) <= set(INNER) and text[0] != "-" and text[-1] != "-"
    if wellformed and allowed(text):
        assert account_name(text) == text.lower()
    else:
        with pytest.raises(InvalidInput) as refused:
            account_name(text)
        assert "\n" not in refused.value.what
        assert refused.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-a",
        "a-",
        "a" * 64,
        "a.b",
        "a_b",
        "a b",
        "a\n",
        "a/b",
        "..",
        "é",
        "\N{KELVIN SIGN}",
        "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}",
        "xn--bcher-kva",
        "a+b",
        "a@b",
        "a\0",
    ],
)
def test_what_is_not_a_label_is_refused(text):
    with pytest.raises(InvalidInput):
        account_name(text)


def test_the_longest_and_the_shortest():
    assert account_name("A" * 63) == "a" * 63
    assert account_name("7") == "7"


RESERVED = [
    "postmaster",
    "abuse",
    "hostmaster",
    "noc",
    "security",
    "webmaster",
    "www",
    "mail",
    "smtp",
    "imap",
    "ns",
    "ns1",
    "ns2",
    "autoconfig",
    "autodiscover",
    "mta-sts",
    "ftp",
    "info",
    "marketing",
    "news",
    "sales",
    "support",
    "usenet",
    "uucp",
    "main",
    "box",
    "root",
    "localhost",
    "webmail",
    "mx",
    "mx10",
    "mailer-daemon",
    "mailpod",
]


@pytest.mark.parametrize("name", [*RESERVED, *sorted(ROLES)])
def test_reserved_names_are_refused_in_any_case(name):
    for text in (name, name.upper()):
        with pytest.raises(InvalidInput) as refused:
            account_name(text)
        assert "reserve" in refused.value.what


@given(labels().map(str.lower), labels().map(str.lower))
def test_domains_are_folded_and_lose_the_final_dot(host, top):
    text = f"{host}.{top}"
    if len(text) > MAX_DOMAIN or top.isdigit():
        with pytest.raises(InvalidInput):
            domain(text)
    else:
        assert domain(text.upper()) == text
        assert domain(f"{text}.") == text


@pytest.mark.parametrize(
    "text", ["", ".", "org", "example.", ".org", "a..b", "exa mple.org", "192.0.2.1", "é.org", "-a.org", "a.org.."]
)
def test_what_is_not_a_domain_is_refused(text):
    with pytest.raises(InvalidInput):
        domain(text)


def test_the_longest_domain_leaves_room_for_the_name_of_main():
    longest = "a" * 55 + ".org"
    assert len(longest) == MAX_DOMAIN
    assert len(f"mail.{domain(longest)}") <= 64
    with pytest.raises(InvalidInput):
        domain("a" + longest)


@given(st.text(max_size=66))
def test_a_label_is_lower_case(text):
    assert not is_label(text) or text == text.lower()
