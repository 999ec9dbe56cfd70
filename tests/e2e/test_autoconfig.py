"""Mail clients set themselves up: with Mozilla's files, Microsoft's, Apple's, and by a page for people."""

import plistlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.support.browser import address, leave, new_page
from tests.e2e.support.mail import imap, smtp
from tests.e2e.support.system import Account, System
from tests.e2e.support.web import Answer, ask

# They end at main, whatever an account is made of.
pytestmark = pytest.mark.once

RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
REQUEST = """\
<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request>
    <EMailAddress>{address}</EMailAddress>
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""
# What draft-ietf-mailmaint-autoconfig has of servers; there is no schema of it yet.
SERVER = ["hostname", "port", "socketType", "authentication", "username"]


def log_in(system: System, protocol: str, host: str, port: int, *, implicit: bool, login: str, password: str) -> None:
    """Log in as a client would that was told this, verifying the host's name."""
    if protocol == "imap":
        with imap(host, port, system.tls, starttls=not implicit) as session:
            assert session.login(login, password)[0] == "OK"
    else:
        with smtp(host, port, system.tls, tls="implicit" if implicit else "starttls") as session:
            assert session.login(login, password)[0] == 235


def mozilla(system: System, answer: Answer) -> list[tuple[str, str, int, bool, str]]:
    """Every server that Mozilla's file tells, after a strict look at its structure."""
    assert (answer.status, answer.header("content-type")) == (200, "text/xml")
    root = ET.fromstring(answer.body)
    assert (root.tag, root.attrib, len(root)) == ("clientConfig", {"version": "1.1"}, 1)
    [provider] = root
    assert (provider.tag, provider.attrib) == ("emailProvider", {"id": system.domain})
    kinds = [one.tag for one in provider]
    assert kinds == ["domain", "displayName", "displayShortName", *["incomingServer"] * 2, *["outgoingServer"] * 2]
    told = []
    for server in provider[3:]:
        assert [field.tag for field in server] == SERVER
        host, port, security, authentication, login = [field.text or "" for field in server]
        assert security in {"SSL", "STARTTLS"}
        assert authentication == "password-cleartext"
        told.append((server.attrib["type"], host, int(port), security == "SSL", login))
    return told


@pytest.mark.parametrize("form", ["short_address", "address"])
def test_what_mozillas_file_tells_lets_one_log_in(system: System, alice: Account, form: str) -> None:
    """Every server in it, with the login that it names."""
    login = getattr(alice, form)
    url = f"https://autoconfig.{system.domain}/mail/config-v1.1.xml?emailaddress={login}"
    told = mozilla(system, ask(system, url))
    assert [(protocol, implicit) for protocol, _, _, implicit, _ in told] == [
        ("imap", True),
        ("imap", False),
        ("smtp", True),
        ("smtp", False),
    ]
    for protocol, host, port, implicit, name in told:
        shown = name.replace("%EMAILADDRESS%", login)
        log_in(system, protocol, host, port, implicit=implicit, login=shown, password=alice.password)


def test_mozillas_file_is_wherever_clients_look_for_it(system: System, alice: Account) -> None:
    """By the addresses of old over plain HTTP too; below an account's name over plain HTTP alone."""
    told = ask(system, f"https://autoconfig.{system.domain}/mail/config-v1.1.xml").body
    for url in (
        f"https://autoconfig.{system.domain}/.well-known/mail-v1.xml?emailaddress={alice.short_address}",
        f"https://{system.domain}/.well-known/autoconfig/mail/config-v1.1.xml",
        f"http://autoconfig.{system.domain}/mail/config-v1.1.xml",
        f"http://{system.domain}/.well-known/autoconfig/mail/config-v1.1.xml",
        f"http://autoconfig.{alice.fqdn}/mail/config-v1.1.xml?emailaddress={alice.address}",
    ):
        answer = ask(system, url)
        mozilla(system, answer)
        assert answer.body == told, url


@pytest.mark.parametrize("form", ["short_address", "address"])
def test_what_outlook_is_told_lets_one_log_in(system: System, alice: Account, form: str) -> None:
    """Also with the capital letters and the method that Outlook has."""
    login = getattr(alice, form)
    url = f"https://autodiscover.{system.domain}/Autodiscover/Autodiscover.xml"
    answer = ask(system, url, "--header", "Content-Type: text/xml", "--data", REQUEST.format(address=login))
    assert (answer.status, answer.header("content-type")) == (200, "text/xml; charset=utf-8")
    root = ET.fromstring(answer.body)
    assert root.tag == f"{RESPONSE}Autodiscover"
    account = root.find(f"{OUTLOOK}Response/{OUTLOOK}Account")
    assert account is not None
    assert [account.findtext(f"{OUTLOOK}{tag}") for tag in ("AccountType", "Action")] == ["email", "settings"]
    protocols = account.findall(f"{OUTLOOK}Protocol")
    assert [one.findtext(f"{OUTLOOK}Type") for one in protocols] == ["IMAP", "SMTP"]
    for one in protocols:
        told = {field.tag.removeprefix(OUTLOOK): field.text or "" for field in one}
        assert (told["SSL"], told["LoginName"]) == ("on", login)
        log_in(
            system,
            told["Type"].lower(),
            told["Server"],
            int(told["Port"]),
            implicit=True,
            login=told["LoginName"],
            password=alice.password,
        )


def test_outlook_is_led_to_a_name_that_has_a_certificate(system: System, alice: Account) -> None:
    """By JSON where it asks for that first, and from an account's name, which has none, over plain HTTP."""
    right = f"https://autodiscover.{system.domain}:{system.port(443)}/autodiscover/autodiscover.xml"
    asked = f"https://autodiscover.{system.domain}/autodiscover/autodiscover.json?Email={alice.short_address}&Protocol="
    answer = ask(system, f"{asked}AutodiscoverV1")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert answer.json() == {"Protocol": "AutodiscoverV1", "Url": right}
    assert ask(system, f"{asked}ActiveSync").status == 404
    led = ask(system, f"http://autodiscover.{alice.fqdn}/autodiscover/autodiscover.xml")
    assert (led.status, led.header("location")) == (302, right)


@pytest.mark.parametrize("form", ["short_address", "address"])
def test_apples_profile_lets_one_log_in_and_holds_no_password(system: System, alice: Account, form: str) -> None:
    login = getattr(alice, form)
    answer = ask(system, f"https://webmail.{system.domain}/setup.mobileconfig?address={login}")
    assert (answer.status, answer.header("content-type")) == (200, "application/x-apple-aspen-config")
    assert answer.header("content-disposition") == f'attachment; filename="{login}.mobileconfig"'
    assert alice.password not in answer.body
    profile = plistlib.loads(answer.body.encode())
    [account] = profile["PayloadContent"]
    assert account["EmailAddress"] == login
    for way, protocol in (("Incoming", "imap"), ("Outgoing", "smtp")):
        assert account[f"{way}MailServerUseSSL"] is True
        log_in(
            system,
            protocol,
            account[f"{way}MailServerHostName"],
            account[f"{way}MailServerPortNumber"],
            implicit=True,
            login=account[f"{way}MailServerUsername"],
            password=alice.password,
        )


def test_two_addresses_have_profiles_that_do_not_replace_each_other(system: System, alice: Account) -> None:
    """And the same one has the same again."""
    urls = [f"https://webmail.{system.domain}/setup.mobileconfig?address={one}" for one in alice.logins[1:]]
    first, second, again = (plistlib.loads(ask(system, url).body.encode()) for url in (*urls, urls[0]))
    assert first == again
    ids = {
        payload[key]
        for profile in (first, second)
        for payload in (profile, *profile["PayloadContent"])
        for key in ("PayloadIdentifier", "PayloadUUID")
    }
    assert len(ids) == 8


def test_a_stranger_does_not_learn_who_exists(system: System, alice: Account) -> None:
    """What is answered for an address that nobody has differs in the address alone, and in the ids made of it."""
    for url in (
        f"https://webmail.{system.domain}/setup.mobileconfig?address={{}}",
        f"https://autodiscover.{system.domain}/autodiscover/autodiscover.xml?address={{}}",
        f"https://autoconfig.{system.domain}/mail/config-v1.1.xml?emailaddress={{}}",
    ):
        known = ask(system, url.format(alice.short_address))
        unknown = ask(system, url.format(f"nemo@{system.domain}"))
        assert (known.status, unknown.status) == (200, 200)
        assert known.headers.keys() == unknown.headers.keys()
        ids = re.compile("[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}")
        assert ids.sub("", known.body) == ids.sub("", unknown.body.replace("nemo", alice.name))


@pytest.mark.parametrize(
    "asked",
    [
        "alice@outside.test",
        "box@alice.outside.test",
        "alice@clubxtest",
        "alice@club.test%0Ax",
        "%22%3E%3Cscript%3E@club.test",
        "a.b@club.test",
        "",
    ],
)
def test_what_is_no_address_of_an_account_here_is_put_nowhere(system: System, asked: str) -> None:
    for path in ("setup.mobileconfig", "autodiscover/autodiscover.xml"):
        answer = ask(system, f"https://webmail.{system.domain}/{path}?address={asked}")
        assert (answer.status, answer.header("content-type")) == (400, "text/plain;charset=UTF-8")
    page = ask(system, f"https://webmail.{system.domain}/setup?address={asked}")
    assert page.status == 200
    assert 'value=""' in page.body
    assert "<script" not in page.body
    assert "<svg" not in page.body


def test_the_page_speaks_the_readers_language(system: System) -> None:
    """RFC 9110 section 12.5.4."""
    for accepted, language in (
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("de,fr;q=0.8,en;q=0.5", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.5", "en"),
        ("de", "en"),
    ):
        page = ask(system, f"https://webmail.{system.domain}/setup", "--header", f"Accept-Language: {accepted}")
        assert f'<html lang="{language}">' in page.body, accepted
        assert page.header("vary") == "Accept-Language"


def test_the_page_shows_its_own_link_as_a_code(
    system: System, browser: Browser, alice: Account, tmp_path: Path
) -> None:
    """Read by a decoder; it is the link that `account show` tells, and the profile is one click away."""
    page = new_page(browser, "fr-FR")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{address(system)}setup")
    expect(page.locator("svg")).to_have_count(0)
    expect(page.locator("a[href*=mobileconfig]")).to_be_hidden()
    page.fill("input[name=address]", alice.short_address)
    page.click("button")
    picture = page.locator("svg").screenshot()
    system.world.give("/tmp", "code.png", picture)
    code, read = system.world.run("zbarimg", "--nodbus", "--quiet", "--raw", "/tmp/code.png")
    assert (code, read.strip()) == (0, system.shown(alice)["setup_page"])
    with page.expect_download() as download:
        page.click("a[href*=mobileconfig]")
    download.value.save_as(tmp_path / "profile")
    assert plistlib.loads((tmp_path / "profile").read_bytes())["PayloadDisplayName"] == alice.short_address
    assert complaints == [], "the page breaks its own policy"
    leave(page)
