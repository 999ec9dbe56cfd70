"""Mail clients: IMAP and submission through main, with every login, and never a password in clear."""

import contextlib
import imaplib
import smtplib
import socket
import ssl

import pytest
from tests.e2e.support.mail import Mailbox, compose, imap, smtp, token
from tests.e2e.support.system import Account, System

LOGINS = ["alice", "alice@club.test", "box@alice.club.test", "Alice@Club.test"]


@pytest.mark.parametrize("number", [143, 993])
@pytest.mark.parametrize("login", LOGINS)
def test_imap_takes_every_form_of_the_login(system: System, alice: Account, login: str, number: int) -> None:
    """143 with STARTTLS and 993, verified against the system's own authority."""
    with system.mailbox(alice, login, number) as mailbox:
        assert mailbox.session.select("INBOX")[0] == "OK"


@pytest.mark.parametrize("number", [587, 465])
@pytest.mark.parametrize("login", LOGINS)
def test_submission_takes_every_form_of_the_login(
    system: System, alice: Account, bob: Account, login: str, number: int
) -> None:
    """587 with STARTTLS and 465; what is submitted arrives."""
    word = token()
    with system.submission(alice, login, number) as session:
        session.send_message(compose(alice.short_address, bob.short_address, word))
    system.wait_for(bob, word)


@pytest.mark.once
@pytest.mark.parametrize("name", ["imap", "smtp", "mail", "webmail", "autoconfig", "autodiscover", "mta-sts", ""])
def test_the_certificate_is_good_for_every_name_of_the_system(system: System, name: str) -> None:
    host = f"{name}.{system.domain}".removeprefix(".")
    raw = socket.create_connection((host, system.port(993)), timeout=10)
    with system.tls.wrap_socket(raw, server_hostname=host) as connection:
        assert connection.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.once
@pytest.mark.parametrize("number", [465, 993, 443])
def test_old_protocol_versions_are_refused(system: System, number: int) -> None:
    """TLS 1.1 is not to be used (RFC 8996)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    code, output = system.world.run(
        *("openssl", "s_client", "-connect", f"{system.world.main_address}:{number}", "-tls1_1"),
        *("-cipher", "ALL:@SECLEVEL=0"),
    )
    assert code != 0, output
    raw = socket.create_connection(("127.0.0.1", system.port(number)), timeout=10)
    with context.wrap_socket(raw) as connection:
        assert connection.version() == "TLSv1.2"


def test_imap_refuses_a_login_without_tls(system: System, alice: Account) -> None:
    """LOGINDISABLED (RFC 9051 section 6.2.3), and a client that tries all the same is refused."""
    session = imaplib.IMAP4(f"imap.{system.domain}", system.port(143), timeout=10)
    assert "LOGINDISABLED" in session.capabilities
    assert not any(capability.startswith("AUTH=") for capability in session.capabilities)
    with pytest.raises(imaplib.IMAP4.error):
        session.login(alice.name, alice.password)
    session.shutdown()


def test_submission_refuses_a_login_without_tls(system: System, alice: Account) -> None:
    with smtp(f"smtp.{system.domain}", system.port(587)) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        code, _ = session.docmd("AUTH", "PLAIN AGFsaWNlAHNlY3JldA==")
        assert code >= 500
        assert session.docmd("MAIL", f"FROM:<{alice.short_address}>")[0] >= 500


@pytest.mark.once
def test_port_25_offers_no_login(system: System) -> None:
    """Nobody can try passwords where mail servers connect."""
    with smtp(f"mail.{system.domain}", system.port(25), system.tls, tls="starttls") as session:
        session.ehlo()
        assert not session.has_extn("auth")


@pytest.mark.parametrize("login", ["alice", "nobody"])
def test_a_wrong_password_or_login_is_refused(system: System, login: str) -> None:
    """With no difference between a wrong password and a login that does not exist."""
    with imap(f"imap.{system.domain}", system.port(993), system.tls) as session:
        with pytest.raises(imaplib.IMAP4.error) as refused:
            session.login(login or '""', "wrong password")
        assert "AUTHENTICATIONFAILED" in str(refused.value)
    with (
        smtp(f"smtp.{system.domain}", system.port(587), system.tls, tls="starttls") as submission,
        pytest.raises(smtplib.SMTPAuthenticationError) as denied,
    ):
        submission.login(login, "wrong password")
    assert denied.value.smtp_code == 535


def test_special_folders_exist_are_subscribed_and_take_messages(system: System, bob: Account) -> None:
    """By the names that clients look for; a server that marks them (RFC 6154) says so, another does not."""
    with system.mailbox(bob) as mailbox:
        marks = b"SPECIAL-USE" in mailbox.session.capability()[1][0]
        folders = mailbox.folders()
        short = {name.rpartition(".")[2].rpartition("/")[2]: name for name in folders}
        assert short.keys() >= {"INBOX", "Sent", "Drafts", "Trash", "Junk"}
        subscribed = b" ".join(line for line in mailbox.session.lsub()[1] if isinstance(line, bytes)).decode()
        for name in ("Sent", "Drafts", "Trash", "Junk"):
            assert name in subscribed
            assert (f"\\{name}" in folders[short[name]]) == marks
            word = token()
            status, _ = mailbox.session.append(
                short[name], "(\\Seen)", "", compose(bob.address, "x@outside.test", word).as_bytes()
            )
            assert status == "OK"
            assert mailbox.count(word, short[name]) == 1


def test_what_clients_do_to_a_mailbox_stays(system: System, bob: Account) -> None:
    """Flags, a folder of one's own, moving, deleting and expunging, seen by the next session."""
    word = system.post(bob.address)
    system.wait_for(bob, word)
    with system.mailbox(bob) as mailbox:
        prefix = "INBOX." if any(name.startswith("INBOX.") for name in mailbox.folders()) else ""
        folder = f"{prefix}Proj&AOk-"  # "Projé" in modified UTF-7 (RFC 3501 section 5.1.3)
        assert mailbox.session.create(folder)[0] == "OK"
        number = mailbox.holding(word)[0]
        mailbox.session.select("INBOX")
        mailbox.session.store(number, "+FLAGS", "(\\Flagged \\Seen)")
        assert mailbox.session.copy(number, folder)[0] == "OK"
        mailbox.session.store(number, "+FLAGS", "(\\Deleted)")
        mailbox.session.expunge()
    with system.mailbox(bob) as mailbox:
        assert mailbox.count(word) == 0
        found = mailbox.holding(word, folder)
        assert len(found) == 1
        assert "\\Flagged" in str(mailbox.session.fetch(found[0], "(FLAGS)"))
        mailbox.session.select("INBOX")
        assert mailbox.session.delete(folder)[0] == "OK"


def test_idle_tells_of_new_mail_at_once(system: System, alice: Account) -> None:
    """RFC 2177, through main."""
    with system.mailbox(alice) as mailbox:
        session = mailbox.session
        session.select("INBOX")
        session.send(b"i1 IDLE\r\n")
        assert session.readline().startswith(b"+")
        system.post(alice.address)
        session.sock.settimeout(10)
        seen = session.readline()
        while b"EXISTS" not in seen:
            seen = session.readline()
        session.send(b"DONE\r\n")
        while not session.readline().startswith(b"i1 OK"):
            continue


def test_idle_tells_every_session_of_every_account_at_once(system: System, alice: Account, bob: Account) -> None:
    """Several devices of several people wait side by side."""
    with contextlib.ExitStack() as stack:
        waiting = []
        for account in [alice, bob] * 3:
            session = stack.enter_context(system.mailbox(account)).session
            session.select("INBOX")
            session.send(b"i1 IDLE\r\n")
            assert session.readline().startswith(b"+")
            waiting.append(session)
        for account in (alice, bob):
            system.post(account.address)
        for session in waiting:
            session.sock.settimeout(10)
            while b"EXISTS" not in session.readline():
                continue
        for session in waiting:
            session.send(b"DONE\r\n")


def test_two_clients_see_the_same_mailbox(system: System, bob: Account) -> None:
    word = system.post(bob.address)
    system.wait_for(bob, word)
    with system.mailbox(bob) as first, system.mailbox(bob, bob.address, 143) as second:
        number = first.holding(word)[0]
        first.session.select("INBOX")
        first.session.store(number, "+FLAGS", "(\\Answered)")
        assert second.holding(word) == [number]
        assert "\\Answered" in str(second.session.fetch(number, "(FLAGS)"))


MBSYNC = """
IMAPAccount club
Host imap.club.test
User {login}
Pass {password}
TLSType {tls}
CertificateFile /etc/ssl/certs/club-ca.pem

IMAPStore far
Account club

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
SyncState *
"""


@pytest.mark.parametrize("tls", ["IMAPS", "STARTTLS"])
def test_mbsync_fetches_a_whole_mailbox(system: System, tls: str) -> None:
    """From the outside, by the public names and the standard ports, trusting what `mailpod ca` prints."""
    account = system.create(f"sync-{tls.lower()}")
    words = [system.post(account.address) for _ in range(20)]
    with system.mailbox(account) as mailbox:
        for word in words:
            mailbox.wait_for(word)
        sent = next(name for name in mailbox.folders() if name.endswith("Sent"))
        filed = token()
        mailbox.session.append(sent, "", "", compose(account.address, "x@outside.test", filed).as_bytes())
    folder = f"/tmp/{account.name}"
    system.world.run("mkdir", folder)
    settings = MBSYNC.format(login=account.short_address, password=account.password, tls=tls, folder=folder)
    system.world.give("/tmp", f"{account.name}.rc", settings.encode(), 0o600)
    for _ in range(2):
        code, output = system.world.run("mbsync", "-c", f"{folder}.rc", "all")
        assert code == 0, output
    _, found = system.world.run("grep", "--recursive", "--no-filename", "--only-matching", "^Subject: .*", folder)
    assert sorted(line.split()[-1] for line in found.splitlines()) == sorted([*words, filed])


def test_swaks_submits_from_outside(system: System, alice: Account) -> None:
    """Another client than ours, from outside, verifying the certificate's chain and name."""
    word = token()
    code, output = system.world.run(
        *("swaks", "--server", f"smtp.{system.domain}", "--port", "587", "--tls", "--tls-verify"),
        *("--tls-ca-path", "/etc/ssl/certs/club-ca.pem", "--auth-user", alice.name),
        *("--auth-password", alice.password, "--from", alice.short_address, "--to", "erin@outside.test"),
        *("--header", f"Subject: {word}"),
    )
    assert code == 0, output
    assert system.world.wait_for(word)["Return-Path"] == f"<{alice.short_address}>"


def test_curl_reads_a_message_from_outside(system: System, alice: Account) -> None:
    word = system.post(alice.address)
    system.wait_for(alice, word)
    code, output = system.world.run(
        *("curl", "--silent", "--show-error", "--cacert", "/etc/ssl/certs/club-ca.pem"),
        *("--user", f"{alice.name}:{alice.password}"),
        f"imaps://imap.{system.domain}/INBOX?SUBJECT%20{word}",
    )
    assert code == 0, output
    assert output.strip().split()[-1].isdigit()


def test_a_session_survives_commands_in_one_packet(system: System, alice: Account) -> None:
    """Pipelined IMAP commands are answered in order (RFC 9051 section 5.5)."""
    with system.mailbox(alice) as mailbox:
        assert isinstance(mailbox, Mailbox)
        mailbox.session.send(b"p1 NOOP\r\np2 SELECT INBOX\r\np3 NOOP\r\n")
        tags: list[bytes] = []
        while len(tags) < 3:
            line = mailbox.session.readline()
            if line[:1] == b"p":
                assert b" OK" in line
                tags.append(line[:2])
        assert tags == [b"p1", b"p2", b"p3"]
