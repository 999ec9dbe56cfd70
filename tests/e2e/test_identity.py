"""Nobody sends as somebody else, and main relays for nobody."""

import smtplib

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
@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("x@outside.test", "y@elsewhere.test"),
        ("alice@club.test", "y@outside.test"),
        ("", "y@outside.test"),
        ("x@outside.test", "y%outside.test@club.test"),
        ("x@outside.test", '"y@outside.test"'),
        ("x@outside.test", "outside.test!y"),
        ("x@outside.test", "@club.test:y@outside.test"),
        ("x@outside.test", "y@[198.18.0.1]"),
        ("x@outside.test", "y@outside.test@club.test"),
    ],
)
@pytest.mark.parametrize("origin", ["host", "outside"])
def test_main_is_not_an_open_relay(system: System, origin: str, sender: str, recipient: str) -> None:
    """Neither for a stranger outside nor for who comes from the bridge's gateway."""
    host, number = ("127.0.0.1", system.port(25)) if origin == "host" else (system.world.main_address, 25)
    with smtp(host, number) as session:
        session.ehlo("client.outside.test")
        session.mail(sender)
        assert session.rcpt(recipient)[0] >= 500


@pytest.mark.once
def test_main_is_not_an_open_relay_over_ipv6(system: System) -> None:
    """The gateway's IPv6 address is trusted as little as its IPv4 address."""
    with smtp(str(system.world.ipv6_subnet[3]), 25) as session:
        session.ehlo("client.outside.test")
        session.mail("x@outside.test")
        assert session.rcpt("y@elsewhere.test")[0] >= 500


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
