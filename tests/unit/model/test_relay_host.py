import pytest

from mailpod.model.errors import InvalidInput
from mailpod.model.records import System
from mailpod.model.relay_host import RelayCredentials, check_login, host_and_port, render

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64")
PEM = "-----BEGIN CERTIFICATE-----\n"


def leaving(host="", port=587, user="", **credentials):
    system = SYSTEM.model_copy(update={"relay_host": host, "relay_port": port, "relay_user": user})
    return render(system, RelayCredentials(**credentials))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("smtp.example.net", ("smtp.example.net", 587)),
        ("SMTP.Example.Net.:2525", ("smtp.example.net", 2525)),
        (" smtp.example.net:465 ", ("smtp.example.net", 465)),
        ("192.0.2.1", ("192.0.2.1", 587)),
        ("192.0.2.1:25", ("192.0.2.1", 25)),
        ("2001:db8::25", ("2001:db8::25", 587)),
        ("[2001:db8::25]", ("2001:db8::25", 587)),
        ("[2001:db8::25]:25", ("2001:db8::25", 25)),
    ],
)
def test_a_host_is_a_name_or_an_address_with_a_port_or_without(text, found):
    assert host_and_port(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "relay",
        "localhost",
        "smtp.example.net:",
        "smtp.example.net:0",
        "smtp.example.net:65536",
        "smtp.example.net:smtp",
        "smtp.example.net:²5",
        "smtp example.net",
        "smtp.example.net\nx",
        "https://smtp.example.net",
        "user@smtp.example.net",
        "smtp_1.example.net",
        "1.2.3",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "fe80::1%eth0",
        "[2001:db8::25",
        "[2001:db8::25]25x",
        ".".join(["a" * 63] * 4),
    ],
)
def test_what_is_no_host_is_refused(text):
    with pytest.raises(InvalidInput):
        host_and_port(text)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("club", ""),
        ("", "secret"),
        ("a:b", "secret"),
        ("a\nb", "secret"),
        (" a", "secret"),
        ("club", "two\nlines"),
        ("club", "two\rlines"),
        ("club", "two\u2028lines"),
        ("club", "nul\0"),
        ("club", "blank "),
    ],
)
def test_a_login_that_is_half_or_fits_in_no_table_is_refused(user, password):
    with pytest.raises(InvalidInput):
        check_login("smtp.example.net", 587, user, RelayCredentials(password=password))


def test_a_password_goes_only_to_whom_a_certificate_can_name():
    for host in ("192.0.2.1", "2001:db8::25"):
        check_login(host, 25, "", RelayCredentials())
        with pytest.raises(InvalidInput, match="certificates are for names"):
            check_login(host, 587, "club", RelayCredentials(password="secret"))


def test_an_authority_and_port_465_are_for_hosts_that_get_a_password():
    check_login("smtp.example.net", 465, "club", RelayCredentials(password="secret", authority=PEM))
    with pytest.raises(InvalidInput):
        check_login("smtp.example.net", 587, "", RelayCredentials(authority=PEM))
    with pytest.raises(InvalidInput):
        check_login("smtp.example.net", 465, "", RelayCredentials())


def test_mail_leaves_straight_without_a_relay_host():
    assert leaving() == {
        "postfix/outward": "outward smtp:\n",
        "postfix/relay_host_tls": "",
        "postfix/relay_host_ca.pem": "",
        "relay_host/password": "",
    }


def test_a_relay_host_that_knows_main_by_its_address():
    tables = leaving("2001:db8::25", 25)
    assert tables["postfix/outward"] == "outward relay_host:[2001:db8::25]:25\n"
    assert not any(tables[name] for name in tables if name != "postfix/outward")


def test_a_relay_host_that_main_logs_in_at():
    tables = leaving("smtp.example.net", user="club user", password="a: b#ç")
    assert tables["postfix/outward"] == "outward submission:[smtp.example.net]:587\n"
    assert tables["relay_host/password"] == "smtp.example.net club user:a: b#ç\n"
    assert tables["postfix/relay_host_tls"] == "", "by the public authorities"


def test_port_465_is_encrypted_from_the_first_byte():
    tables = leaving("smtp.example.net", 465, user="club", password="secret")
    assert tables["postfix/outward"] == "outward submissions:[smtp.example.net]:465\n"


def test_an_authority_of_the_operators_own_is_the_only_one():
    tables = leaving("smtp.example.net", user="club", password="secret", authority=PEM)
    assert tables["postfix/relay_host_ca.pem"] == PEM
    assert tables["postfix/relay_host_tls"] == (
        "[smtp.example.net]:587 secure match=nexthop tafile=/data/etc/tables/postfix/relay_host_ca.pem\n"
    )
