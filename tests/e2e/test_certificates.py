"""Certificates from an ACME server: who shows which, how they are renewed, and what happens when there are none."""

import hashlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.support.acme import Acme
from tests.e2e.support.mail import Mailbox, compose, imap, smtp, token
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
    return [
        shown(acme.tls, account.fqdn, account.ipv6, port, how) for port, how in ((993, ""), (465, ""), (587, "smtp"))
    ]


def test_main_shows_one_for_all_its_names_and_each_account_its_own(system: System, alice: Account, acme: Acme) -> None:
    """Meanwhile the ways inside go by the system's own authority, as ever."""
    listed = {one["name"]: one for one in system.cli.ok("certificate", "list", "--json").json()}
    assert (listed["main"]["state"], listed["alice"]["state"]) == ("valid", "valid")
    mains = of_main(system, acme)
    assert len({one.serial_number for one in mains}) == 1
    names = mains[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = {system.domain, f"mail.{system.domain}", f"imap.{system.domain}"}
    assert wanted <= set(names.get_values_for_type(x509.DNSName))
    [serial] = {one.serial_number for one in of_account(alice, acme)}
    assert serial != mains[0].serial_number
    word, back = system.post(alice.address), token()
    with smtp(f"smtp.{system.domain}", system.port(587), acme.tls, tls="starttls") as session:
        session.login("alice", alice.password)
        session.send_message(compose(alice.short_address, alice.address, back))
    with imap(f"imap.{system.domain}", system.port(993), acme.tls) as session:
        session.login("alice", alice.password)
        Mailbox(session).wait_for(word)
        Mailbox(session).wait_for(back)


@pytest.mark.once
def test_a_renewal_ends_no_session_and_keeps_the_key(system: System, alice: Account, acme: Acme) -> None:
    """Who waits for mail hears of it after the renewal, on the connection that was there before."""
    before, alices = of_main(system, acme)[0], of_account(alice, acme)[0]
    ways = ((f"imap.{system.domain}", system.address, system.port(993)), (alice.fqdn, alice.ipv6, 993))
    with ExitStack() as open_sessions:
        waiting = [open_sessions.enter_context(idling(acme, *way, alice)) for way in ways]
        renewed = system.cli.ok("certificate", "renew", "--json").json()
        assert {one["state"] for one in renewed} == {"valid"}
        after = of_main(system, acme)[0]
        assert after.serial_number != before.serial_number
        assert of_account(alice, acme)[0].serial_number != alices.serial_number
        system.post(alice.address)
        for session in waiting:
            heard = b""
            while b"EXISTS" not in heard:
                heard = session.readline()
                assert heard, "the session was ended"
    assert after.public_key() == before.public_key()
    public = after.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pinned = system.served(f"_25._tcp.mail.{system.domain}", "TLSA")
    assert pinned == {f"3 1 1 {hashlib.sha256(public).hexdigest()}"}


@contextmanager
def idling(acme: Acme, name: str, address: str, port: int, account: Account) -> Iterator[BinaryIO]:
    """A mail client that waits for mail (RFC 2177)."""
    with (
        socket.create_connection((address, port), timeout=20) as plain,
        acme.tls.wrap_socket(plain, server_hostname=name) as connection,
        connection.makefile("rb") as lines,
    ):
        for command, answer in (
            (f"a LOGIN {account.name} {account.password}", b"a OK"),
            ("b SELECT INBOX", b"b OK"),
            ("c IDLE", b"+"),
        ):
            connection.sendall(f"{command}\r\n".encode())
            while not (line := lines.readline()).startswith(answer):
                assert line, command
        yield lines


@pytest.mark.once
def test_who_gets_none_goes_on_with_the_authoritys_and_is_told_of(system: System, alice: Account, acme: Acme) -> None:
    """A server that cannot see the proof, then one that does not answer."""
    acme.stop()
    acme.start("127.0.0.1:53")
    made = system.cli.ok("account", "create", "dora", "--json")
    assert "dora" in made.err
    assert made.json()["status"] == "running"
    listed = {one["name"]: one for one in system.cli.ok("certificate", "list", "--json").json()}
    assert listed["dora"]["state"] == "failed"
    assert f"dora.{system.domain} is ours" in listed["dora"]["problem"]
    assert listed["alice"]["state"] == "valid"
    told = system.cli.ok("status").out
    assert "certificate of dora" in told
    assert "mailpod certificate renew" in told
    shown(system.tls, made.json()["fqdn"], made.json()["ipv6"], 993)
    acme.stop()
    refused = system.cli.run("certificate", "renew", "dora")
    assert refused.code == 1
    assert "does not answer" in refused.err
    system.cli.ok("account", "delete", "dora", "--purge", "--yes")
