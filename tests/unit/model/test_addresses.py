import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpod.model.addresses import canonical, outside_address, shared_local_part, short
from mailpod.model.errors import InvalidInput


def test_the_two_forms_of_an_account():
    assert canonical("alice", "example.org") == "box@alice.example.org"
    assert short("alice", "example.org") == "alice@example.org"


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("contact", "contact"),
        ("Contact@Example.ORG", "contact"),
        ("first.last@example.org", "first.last"),
        ("a_b-c", "a_b-c"),
        ("postmaster", "postmaster"),
        ("a" * 64, "a" * 64),
    ],
)
def test_addresses_an_alias_may_have(text, local):
    assert shared_local_part(text, "example.org") == local


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@example.org",
        "contact@",
        "contact@other.org",
        "contact@sub.example.org",
        "a+tag",
        "a..b",
        ".a",
        "a.",
        "a b",
        "a\n",
        "a/b",
        "../a",
        "é",
        "a" * 65,
        "a@b@example.org",
        "#a",
        "a,b",
        '"a"',
        # Postfix refuses them (postconf(5) allow_min_user), and so nobody could write there.
        "-a",
        "-a@example.org",
    ],
)
def test_addresses_an_alias_may_not_have(text):
    with pytest.raises(InvalidInput):
        shared_local_part(text, "example.org")


@given(st.text(max_size=70))
def test_an_alias_is_a_safe_file_name_and_table_key(text):
    try:
        local = shared_local_part(text, "example.org")
    except InvalidInput:
        return
    assert local == local.lower()
    assert local.isascii()
    assert local.isprintable()
    assert not set(local) & set("/\\@+,:;<>()[]\"'# \t\n")
    assert ".." not in local
    assert local[0] != "."


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Someone@Example.COM", "Someone@example.com"),
        ("a+tag@b.example", "a+tag@b.example"),
        ("o'neil@b.example", "o'neil@b.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_outside_addresses_keep_their_local_part(text, address):
    assert outside_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b",
        "a@-b.example",
        "a@b..example",
        "a b@c.example",
        "a,b@c.example",
        "a\n@c.example",
        "a@c.example\n",
        "a@[192.0.2.1]",
        '"a b"@c.example',
        "<a@c.example>",
        "é@c.example",
        "a@é.example",
        "a@b@c.example",
        ":include:/etc/passwd@c.example",
        "x" * 65 + "@c.example",
        "a@" + "b" * 64 + ".example",
        "a@" + "b." * 126 + "cc",
    ],
)
def test_what_is_no_outside_address(text):
    with pytest.raises(InvalidInput):
        outside_address(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_outside_address_is_one_word_of_a_table(local, host):
    try:
        address = outside_address(f"{local}@{host}")
    except InvalidInput:
        return
    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' \t\r\n,:;<>()[]"\\')
    assert address.count("@") == 1
