"""What mail clients are told, so that they set themselves up: a function of the system and of the address alone.

The address is not known here. Where it belongs there is `ADDRESS`, as in Mozilla's files, and where something belongs
that is the same for this address alone there is `ADDRESS_ID`. Main's web server puts both in, whether such an account
exists or not (`images/main/setup/setup.php`).
"""

import plistlib
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mailpod.model.records import System

ADDRESS = "%EMAILADDRESS%"
"""Placeholder of the address, which is the login as well."""
ADDRESS_ID = "%ADDRESS_ID%"
"""Placeholder of the last four groups of a UUID, `xxxx-xxxx-xxxx-xxxxxxxxxxxx`."""

# [MS-OXDSCLI] section 2.2.4
_AUTODISCOVER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


@dataclass(frozen=True)
class Server:
    """One way for a mail client.

    Attributes:
        protocol: `imap` or `smtp`.
        host: a name that main's certificate has.
        port: the published one.
        implicit_tls: TLS from the first byte; otherwise by STARTTLS.
    """

    protocol: str
    host: str
    port: int
    implicit_tls: bool


def reading(system: System) -> tuple[Server, Server]:
    """The ways to read mail, the better one first (RFC 8314 section 3)."""
    host = f"imap.{system.domain}"
    return Server("imap", host, system.port("imaps"), True), Server("imap", host, system.port("imap"), False)


def sending(system: System) -> tuple[Server, Server]:
    """The ways to send mail, the better one first (RFC 8314 section 3)."""
    host = f"smtp.{system.domain}"
    return (
        Server("smtp", host, system.port("submissions"), True),
        Server("smtp", host, system.port("submission"), False),
    )


def autoconfig(system: System) -> str:
    """What Thunderbird and many others ask for (draft-ietf-mailmaint-autoconfig), as XML."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=system.domain)
    _children(provider, domain=system.domain, displayName=system.domain, displayShortName=system.domain)
    for kind, servers in (("incomingServer", reading(system)), ("outgoingServer", sending(system))):
        for server in servers:
            _children(
                SubElement(provider, kind, type=server.protocol),
                hostname=server.host,
                port=str(server.port),
                socketType="SSL" if server.implicit_tls else "STARTTLS",
                authentication="password-cleartext",
                username=ADDRESS,
            )
    return _xml(root)


def autodiscover(system: System) -> str:
    """What Outlook asks for ("plain old XML", [MS-OXDSCLI]), as XML."""
    root = Element("Autodiscover", xmlns=_AUTODISCOVER)
    response = SubElement(root, "Response", xmlns=_OUTLOOK)
    _children(SubElement(response, "User"), DisplayName=ADDRESS)
    account = SubElement(response, "Account")
    _children(account, AccountType="email", Action="settings")
    for server in (reading(system)[0], sending(system)[0]):
        # Without a login, Outlook takes what stands before the @: of a canonical address that is everybody's.
        _children(
            SubElement(account, "Protocol"),
            Type=server.protocol.upper(),
            Server=server.host,
            Port=str(server.port),
            LoginName=ADDRESS,
            DomainRequired="off",
            SPA="off",
            SSL="on",
            Encryption="SSL",
            AuthRequired="on",
        )
    return _xml(root)


def mobileconfig(system: System) -> str:
    """A configuration profile for Apple's systems, as a property list; it holds no password and is not signed."""
    incoming, outgoing = reading(system)[0], sending(system)[0]
    # Whoever installs a profile with the identifier of one that is there replaces that one.
    identifier = f"{'.'.join(reversed(system.domain.split('.')))}.mail.{ADDRESS_ID}"
    mail = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.account",
        "PayloadUUID": f"00000002-{ADDRESS_ID}",
        "PayloadDisplayName": ADDRESS,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": ADDRESS,
        "EmailAddress": ADDRESS,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerUsername": ADDRESS,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": True,
        "OutgoingMailServerUsername": ADDRESS,
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": f"00000001-{ADDRESS_ID}",
        "PayloadDisplayName": ADDRESS,
        "PayloadOrganization": system.domain,
        "PayloadContent": [mail],
    }
    return plistlib.dumps(profile, sort_keys=False).decode()


def _children(parent: Element, **texts: str) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


def _xml(root: Element) -> str:
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )
