"""Certificates from an ACME server: who shows which, how they are renewed, and what happens when there are none."""

import hashlib
import imaplib
import smtplib
import socket
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.support.acme import Acme
from tests.e2e.support.engine import Engine
from tests.e2e.support.mail import compose, imap, smtp, token
from tests.e2e.support.system import Account, System


@pytest.fixture(scope="module")
def acme(system: System, alice: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    """A server that gives certificates, and the system with one for main and one for each account."""
    server = Acme(system.world, tmp_path_factory.mktemp("acme"))
    [dns] = [one for one in system.engine.containers() if one.labels.get("mailpod.role") == "dns"]
    server.start(f"{system.world.attach_name_server(dns)}:53")
    asked = ("--acme-server", server.url, "--acme-ca", str(server.authority))
    system.cli.ok("up", system.domain, "--acme-email", f"ops@{system.domain}", *asked)
    yield server
    server.stop()
    system.cli.ok("up", system.domain, "--acme-email", "none")


def shown(context: ssl.SSLContext, name: str, address: str, port: int, starttls: str = "") -> x509.Certificate:
    """The certificate that a client sees who trusts no others, and verifies the name."""
    with socket.create_connection((address, port), timeout=10) as plain:
        if starttls == "imap":
            plain.recv(4096)
            plain.sendall(b"a STARTTLS\r\n")
            plain.recv(4096)
        elif starttls == "smtp":
            session = smtplib.SMTP()
            session.sock = plain
            session.getreply()
            session.ehlo()
            session.docmd("STARTTLS")
        with context.wrap_socket(plain, server_hostname=name) as connection:
            der = connection.getpeercert(binary_form=True)
            assert der
            return x509.load_der_x509_certificate(der)


def of_main(system: System, acme: Acme) -> list[x509.Certificate]:
    """What main shows on every port for clients, and to other mail servers."""
    ports = {993: "", 465: "", 443: "", 25: "smtp", 143: "imap", 587: "smtp"}
    hosts = {443: "webmail", 25: "mail", 465: "smtp", 587: "smtp"}
    return [
        shown(acme.tls, f"{hosts.get(port, 'imap')}.{system.domain}", system.address, system.port(port), how)
        for port, how in ports.items()
    ]


def of_account(account: Account, acme: Acme) -> list[x509.Certificate]:
    """What an account itself shows."""
    return [shown(acme.tls, account.fqdn, account.ipv6, port, how) for port, how in ((993, ""), (465, ""), (587, "smtp"))]


def test_main_shows_one_for_all_its_names_and_each_account_its_own(system: System, alice: Account, acme: Acme) -> None:
    """Meanwhile the ways inside go by the system's own authority, as ever."""
    listed = {one["name"]: one for one in system.cli.ok("certificate", "list", "--json").json()}
    assert (listed["main"]["state"], listed["alice"]["state"]) == ("valid", "valid")
    mains = of_main(system, acme)
    assert len({one.serial_number for one in mains}) == 1
    names = mains[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {system.domain, f"mail.{system.domain}", f"imap.{system.domain}"} <= set(names.get_values_for_type(x509.DNSName))
    [serial] = {one.serial_number for one in of_account(alice, acme)}
    assert serial != mains[0].serial_number
    word = system.post(alice.address)
    with smtp(f"smtp.{system.domain}", system.port(587), acme.tls, tls="starttls") as session:
        session.login("alice", alice.password)
        session.send_message(compose(alice.short_address, alice.address, back := token()))
    with imap(f"imap.{system.domain}", system.port(993), acme.tls) as mailbox:
        mailbox.login("alice", alice.password)
        from tests.e2e.support.mail import Mailbox

        Mailbox(mailbox).wait_for(word)
        Mailbox(mailbox).wait_for(back)
