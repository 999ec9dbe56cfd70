"""Nobody sends as somebody else, not even who has taken over an account's container."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, smtp, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until


@pytest.mark.parametrize("sender", ["bob@club.test", "box@bob.club.test", "postmaster@club.test", "x@outside.test"])
def test_an_account_cannot_send_as_another(system: System, alice: Account, bob: Account, sender: str) -> None:
    """The envelope's sender has to be the account's own, whoever the recipient is."""
    for recipient in ("erin@outside.test", bob.short_address):
        word = token()
        with system.submission(alice) as session:
            refused = False
            try:
                session.sendmail(sender, [recipient], compose(sender, recipient, word).as_bytes())
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError):
                refused = True
        assert refused, f"alice sent as {sender}"


@pytest.mark.parametrize("sender", ["alice@club.test", "box@alice.club.test", "alice+tag@club.test", "ALICE@club.test"])
def test_an_account_sends_under_each_of_its_own_addresses(system: System, alice: Account, sender: str) -> None:
    word = token()
    with system.submission(alice) as session:
        session.sendmail(sender, ["erin@outside.test"], compose(sender, "erin@outside.test", word).as_bytes())
    assert system.world.wait_for(word)["Return-Path"].lower() == f"<{sender.lower()}>"


@pytest.mark.usefixtures("bob")
def test_a_program_in_the_account_cannot_send_as_another_either(system: System, alice: Account) -> None:
    """What alice's own shell hands to sendmail passes the same check in main."""
    word = token()
    forged = compose("bob@club.test", "erin@outside.test", word).as_string()
    script = f"sendmail -f bob@{system.domain} erin@outside.test <<'END'\n{forged}\nEND"
    system.engine.account(alice.name).exec_run(["sh", "-c", script], user="box")
    honest = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", honest), "erin@outside.test")
    system.world.wait_for(honest)
    assert not any(m["Return-Path"] == f"<bob@{system.domain}>" for m in system.world.received(word))


def test_a_forged_sender_is_sent_nothing(system: System, alice: Account) -> None:
    """What main refuses from alice's shell comes back to her, and not to whom she named as its sender."""
    word = token()
    forged = compose("erin@outside.test", "frank@outside.test", word).as_string()
    script = f"sendmail -f erin@outside.test frank@outside.test <<'END'\n{forged}\nEND"
    account = system.engine.account(alice.name)
    account.exec_run(["sh", "-c", script], user="box")
    until(lambda: not execute(account, "postqueue", "-j")[1] and not system.waiting(), "the end of its way", 40)
    honest = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", honest), "erin@outside.test")
    system.world.wait_for(honest)
    assert not any(m["Delivered-To"] == "erin@outside.test" for m in system.world.received(word))


@pytest.mark.once
def test_the_ports_between_main_and_accounts_are_not_published(system: System) -> None:
    """The relay (10025) answers accounts alone; accounts publish nothing."""
    published = system.main.attrs["NetworkSettings"]["Ports"]
    open_ports = {int(port.partition("/")[0]) for port, where in published.items() if where}
    assert open_ports == {22, 25, 80, 143, 443, 465, 587, 993, 4190}
    for container in system.engine.containers():
        if container.labels.get("mailpod.role") == "account":
            assert not any(container.attrs["NetworkSettings"]["Ports"].values()), container.name


@pytest.mark.once
def test_the_relay_refuses_who_cannot_prove_to_be_an_account(system: System, alice: Account) -> None:
    """From the outside's network too, where main also listens: no TLS, no login, a person's password, all refused."""
    with smtp(system.world.main_address, 10025) as session:
        session.ehlo("client.outside.test")
        assert session.mail("alice@club.test")[0] == 530
    trust = system.tls
    trust.check_hostname = False  # it is called by its address
    with smtp(system.world.main_address, 10025, trust, tls="starttls") as session:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(alice.name, alice.password)
        assert session.mail("alice@club.test")[0] == 530


def test_an_account_takes_mail_from_main_alone(system: System, alice: Account) -> None:
    """Who comes from main's address, as a program there would, but has not its key, cannot hand over mail either."""
    script = (
        "exec 3<>/dev/tcp/alice.mailpod.internal/25; "
        f"printf 'EHLO x\\r\\nMAIL FROM:<x@outside.test>\\r\\nRCPT TO:<{alice.address}>\\r\\nQUIT\\r\\n' >&3; cat <&3"
    )
    _, answers = execute(system.main, "timeout", "10", "bash", "-c", script, user="roundcube")
    assert "250 2.1.5" not in answers, answers
    assert "530" in answers or "554" in answers, answers


# --- who is root in an account's container has the credential that it logs in to main with


def credential(system: System, account: Account) -> tuple[str, str]:
    """User and password."""
    line = execute(system.engine.account(account.name), "cat", "/data/etc/relay/sasl_passwd", user="root")[1]
    user, _, password = line.split()[1].partition(":")
    return user, password


@contextmanager
def relay(system: System, login: tuple[str, str]) -> Iterator[smtplib.SMTP]:
    """A session with main's port for accounts."""
    trust = system.tls
    trust.check_hostname = False  # it is called by its address
    with smtp(system.world.main_address, 10025, trust, tls="starttls") as session:
        session.login(*login)
        yield session


def answer(session: smtplib.SMTP, sender: str, recipient: str, *headers: str) -> tuple[int, str]:
    """What main says to a message, or to the first of its commands that it refuses."""
    head = "\r\n".join((*headers, f"Subject: {token()}", "", "Hello.", ""))
    session.rset()
    for step in (lambda: session.mail(sender), lambda: session.rcpt(recipient), lambda: session.data(head)):
        code, text = step()
        if code >= 400:
            break
    return code, text.decode()


OWN = [
    ["From: Alice <alice@club.test>"],
    ["From: ALICE+shop@Club.test", "Sender: box@alice.club.test"],
    ["From: MAILER-DAEMON@alice.club.test (Mail Delivery System)"],
]
FOREIGN = [
    ["From: bob@club.test"],
    ["From: postmaster@club.test"],
    ["From: erin@outside.test", "X-Mailpod-Seal: 1700000000 AAAAAAAAAAAA"],
    ["From: alice@club.test, bob@club.test"],
    ["From: alice@club.test", "From: bob@club.test"],
    ["From: alice@club.test", "Sender: bob@club.test"],
    ['From: "bob@club.test" <alice@club.test>'],
    ["From: <@bob.club.test:alice@club.test>"],
    ["From:", " bob@club.test"],
    ["From : bob@club.test"],
    ["X-From: alice@club.test"],
]


@pytest.mark.once
def test_main_takes_from_an_account_its_own_messages_alone(system: System, alice: Account, bob: Account) -> None:
    """By the header From as well as by the envelope; the operator is told."""
    with relay(system, credential(system, alice)) as session:
        for headers in OWN:
            for sender in ("alice@club.test", ""):
                assert answer(session, sender, bob.address, *headers)[0] == 250, headers
        assert answer(session, "", bob.address, "From: bob@club.test")[0] == 550
        assert answer(session, "bob@club.test", "erin@outside.test", *OWN[0])[0] == 550
    # Postfix answers slowly to who errs often on one connection.
    for first in range(0, len(FOREIGN), 4):
        with relay(system, credential(system, alice)) as session:
            for headers in FOREIGN[first : first + 4]:
                code, text = answer(session, "alice@club.test", bob.address, *headers)
                assert (code, text[:5]) == (550, "5.7.1"), headers
    told = {
        one["kind"]: one for one in system.cli.ok("status", "--json").json()["refusals"] if one["account"] == "alice"
    }
    assert told["from"]["count"] >= 1
    assert "bob@club.test" in told["sender"]["detail"]
    assert "refused to alice: from, " in system.cli.ok("status").out


@pytest.mark.once
def test_a_stolen_credential_is_worth_one_account_until_it_is_replaced(
    system: System, alice: Account, bob: Account
) -> None:
    stolen = credential(system, bob)
    with relay(system, stolen) as session:
        assert answer(session, "alice@club.test", "erin@outside.test", *OWN[0])[0] == 550
    system.cli.ok("account", "rotate", bob.name)
    with pytest.raises(smtplib.SMTPAuthenticationError), relay(system, stolen):
        pass
    word = token()
    system.submit(bob, compose(bob.short_address, "erin@outside.test", word), "erin@outside.test")
    system.world.wait_for(word)
    system.wait_for(bob, system.post(bob.address))


@pytest.mark.once
def test_how_much_leaves_is_limited_and_an_account_may_be_kept_inside(system: System, bob: Account) -> None:
    """A recipient outside counts, also across a restart; one inside does not. A new container has a new credential."""
    carol = system.create("carol", "--internet", "none")
    stolen = credential(system, carol)
    own = "From: carol@club.test"
    with relay(system, stolen) as session:
        assert answer(session, "carol@club.test", bob.address, own)[0] == 250
        assert answer(session, "carol@club.test", "erin@outside.test", own)[0] == 550
    system.cli.ok("account", "set", carol.name, "--internet", "all", "--messages-per-hour", "2")
    with pytest.raises(smtplib.SMTPAuthenticationError), relay(system, stolen):
        pass
    with relay(system, credential(system, carol)) as session:
        assert [answer(session, "carol@club.test", "erin@outside.test", own)[0] for _ in range(3)] == [250, 250, 450]
    execute(system.main, "s6-svc", "-wr", "-r", "/run/service/identity")
    until(lambda: starttls(system) == 220, "the check of who writes")
    with relay(system, credential(system, carol)) as session:
        until(lambda: answer(session, "carol@club.test", "erin@outside.test", own)[0] == 450, "the limit again")
        assert answer(session, "carol@club.test", bob.address, own)[0] == 250
    told = {one["kind"] for one in system.cli.ok("status", "--json").json()["refusals"] if one["account"] == "carol"}
    assert {"rate", "internet"} <= told


def starttls(system: System) -> int:
    """What main answers on the accounts' port to who wants to begin."""
    with smtp(system.world.main_address, 10025) as session:
        session.ehlo("alice.club.test")
        return session.docmd("STARTTLS")[0]


@pytest.mark.once
def test_without_the_check_all_mail_waits(system: System, alice: Account) -> None:
    """What comes from outside too: it might hold a forged verdict of main's own."""
    execute(system.main, "s6-svc", "-wD", "-d", "/run/service/identity")
    try:
        assert starttls(system) == 454
        with system.mx() as session:
            assert session.helo("mx.outside.test")[0] == 250
            assert session.mail("erin@outside.test")[0] == 451
    finally:
        execute(system.main, "s6-svc", "-u", "/run/service/identity")
    until(lambda: starttls(system) == 220, "the check of who writes")
    system.wait_for(alice, system.post(alice.address))
    word = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
    system.world.wait_for(word)


@pytest.mark.once
def test_the_accounts_of_an_alias_write_as_it_where_the_operator_allows_it(
    system: System, alice: Account, bob: Account
) -> None:
    def sent(sender: str) -> bool:
        word = token()
        with system.submission(alice) as session:
            try:
                session.sendmail(sender, ["erin@outside.test"], compose(sender, "erin@outside.test", word).as_bytes())
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused):
                return False
        return str(system.world.wait_for(word)["From"]) == sender

    system.cli.ok("alias", "add", "board", alice.name, bob.name)
    assert not sent("board@club.test")
    system.cli.ok("alias", "add", "--send", "board", alice.name)
    assert sent("board@club.test")
    system.cli.ok("alias", "delete", "board")
    assert not sent("board@club.test")
