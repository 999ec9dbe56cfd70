import plistlib
import xml.etree.ElementTree as ET

import pytest

from mailpod.model.clients import ADDRESS, autoconfig, autodiscover, mobileconfig, reading, sending
from mailpod.model.records import System

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00:1:2:3::/64")
MOVED = SYSTEM.model_copy(update={"port_base": 20000})
RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


def test_tls_from_the_first_byte_comes_first():
    assert [(one.host, one.port, one.implicit_tls) for one in (*reading(SYSTEM), *sending(SYSTEM))] == [
        ("imap.example.org", 993, True),
        ("imap.example.org", 143, False),
        ("smtp.example.org", 465, True),
        ("smtp.example.org", 587, False),
    ]


def test_mozillas_file_has_what_its_draft_wants():
    root = ET.fromstring(autoconfig(SYSTEM))
    assert (root.tag, root.attrib) == ("clientConfig", {"version": "1.1"})
    [provider] = root
    assert (provider.tag, provider.attrib) == ("emailProvider", {"id": "example.org"})
    assert [(one.tag, one.text) for one in provider[:3]] == [
        ("domain", "example.org"),
        ("displayName", "example.org"),
        ("displayShortName", "example.org"),
    ]
    assert [(one.tag, one.get("type"), {field.tag: field.text for field in one}) for one in provider[3:]] == [
        (kind, protocol, {"hostname": host, "port": port, "socketType": security, **LOGIN})
        for kind, protocol, host, port, security in (
            ("incomingServer", "imap", "imap.example.org", "993", "SSL"),
            ("incomingServer", "imap", "imap.example.org", "143", "STARTTLS"),
            ("outgoingServer", "smtp", "smtp.example.org", "465", "SSL"),
            ("outgoingServer", "smtp", "smtp.example.org", "587", "STARTTLS"),
        )
    ]


LOGIN = {"authentication": "password-cleartext", "username": "%EMAILADDRESS%"}


def test_outlook_is_told_the_login():
    root = ET.fromstring(autodiscover(SYSTEM))
    assert root.tag == f"{RESPONSE}Autodiscover"
    account = root.find(f"{OUTLOOK}Response/{OUTLOOK}Account")
    assert account is not None
    assert account.findtext(f"{OUTLOOK}AccountType") == "email"
    assert account.findtext(f"{OUTLOOK}Action") == "settings"
    told = [
        {field.tag.removeprefix(OUTLOOK): field.text for field in one} for one in account.iter(f"{OUTLOOK}Protocol")
    ]
    assert [(one["Type"], one["Server"], one["Port"], one["SSL"], one["LoginName"]) for one in told] == [
        ("IMAP", "imap.example.org", "993", "on", ADDRESS),
        ("SMTP", "smtp.example.org", "465", "on", ADDRESS),
    ]


def test_a_profile_holds_one_account_and_no_password():
    profile = plistlib.loads(mobileconfig(SYSTEM).encode())
    assert profile["PayloadType"] == "Configuration"
    [account] = profile["PayloadContent"]
    assert account["PayloadType"] == "com.apple.mail.managed"
    assert account["EmailAccountType"] == "EmailTypeIMAP"
    assert account["EmailAddress"] == account["IncomingMailServerUsername"] == account["OutgoingMailServerUsername"]
    assert (account["IncomingMailServerHostName"], account["IncomingMailServerPortNumber"]) == ("imap.example.org", 993)
    assert (account["OutgoingMailServerHostName"], account["OutgoingMailServerPortNumber"]) == ("smtp.example.org", 465)
    assert account["IncomingMailServerUseSSL"] is account["OutgoingMailServerUseSSL"] is True
    assert not {"IncomingPassword", "OutgoingPassword"} & account.keys()
    assert profile["PayloadUUID"] != account["PayloadUUID"]
    assert profile["PayloadIdentifier"].startswith("org.example.mail.")
    assert profile["PayloadIdentifier"] != account["PayloadIdentifier"]


@pytest.mark.parametrize("document", [autoconfig, autodiscover, mobileconfig])
def test_ports_are_the_published_ones(document):
    told = document(MOVED)
    assert "20993" in told
    assert "20465" in told
    assert ">993<" not in told
