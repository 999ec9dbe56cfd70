"""Mail comes in, goes out and passes between accounts, whatever a message may look like."""

from email.message import EmailMessage
from email.utils import formatdate

import pytest
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

LARGE = 25 * 1024 * 1024


def test_mail_from_outside_arrives_with_the_true_address_of_its_sender(system: System, alice: Account) -> None:
    """By MX, straight from the outside's mail server: its address and name are in the trace, not a gateway's."""
    word = token()
    system.world.send(compose("erin@outside.test", alice.short_address, word), [alice.short_address])
    message = system.wait_for(alice, word)
    trace = [str(line) for line in message.get_all("Received", [])]
    arrival = next(line for line in trace if f"by mail.{system.domain}" in line and "from mx.outside.test" in line)
    assert system.world.address in arrival or str(system.world.ipv6_subnet[2]) in arrival
    assert message["Return-Path"] == "<erin@outside.test>"


@pytest.mark.once
def test_mail_from_outside_comes_over_tls(system: System, alice: Account) -> None:
    """Port 25 offers STARTTLS, and the last hop to the account is encrypted too."""
    word = token()
    system.world.send(compose("erin@outside.test", alice.address, word), [alice.address])
    trace = [str(line) for line in system.wait_for(alice, word).get_all("Received", [])]
    for host in (f"by mail.{system.domain}", f"by {alice.fqdn}"):
        # RFC 3848: ESMTPS tells that TLS was in use.
        assert any(host in line and "with ESMTPS" in line for line in trace), trace


def test_mail_to_the_outside_leaves_through_main(system: System, alice: Account) -> None:
    """Delivered by MX from main's address, under the account's own address, encrypted where the other side can."""
    word = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
    message = system.world.wait_for(word, "erin@outside.test")
    assert message["From"] == alice.short_address
    assert message["Return-Path"] == f"<{alice.short_address}>"
    arrival = str(message["Received"])
    assert f"mail.{system.domain}" in arrival
    assert "TLS" in arrival
    assert system.world.main_address in arrival or str(system.world.ipv6_subnet[3]) in arrival


def test_mail_between_accounts_stays_inside(system: System, alice: Account, bob: Account) -> None:
    word = token()
    system.submit(alice, compose(alice.address, bob.short_address, word), bob.short_address)
    message = system.wait_for(bob, word)
    assert message["From"] == alice.address
    trace = [str(line) for line in message.get_all("Received", [])]
    assert not any("outside.test" in line for line in trace)
    # Where its sender was stays with the sender.
    assert trace[2].startswith(f"from {alice.fqdn} by {alice.fqdn} (Postfix) with ESMTPSA id ")


def test_an_account_can_write_to_itself(system: System, alice: Account) -> None:
    word = token()
    system.submit(alice, compose(alice.short_address, alice.short_address, word), alice.short_address)
    system.wait_for(alice, word)


def test_one_message_to_several_recipients_reaches_each_once(system: System, alice: Account, bob: Account) -> None:
    """Accounts and people outside in one transaction."""
    recipients = [alice.short_address, bob.address, "erin@outside.test", "frank@outside.test"]
    word = token()
    system.submit(alice, compose(alice.short_address, ", ".join(recipients), word), *recipients)
    for account in (alice, bob):
        system.wait_for(account, word)
        with system.mailbox(account) as mailbox:
            assert mailbox.count(word) == 1
    for recipient in recipients[2:]:
        system.world.wait_for(word, recipient)


def test_a_message_for_known_and_unknown_recipients_reaches_the_known(system: System, bob: Account) -> None:
    word = token()
    with system.mx() as session:
        refused = session.send_message(
            compose("x@outside.test", bob.short_address, word), to_addrs=[bob.short_address, f"no@{system.domain}"]
        )
    assert refused[f"no@{system.domain}"][0] == 550
    system.wait_for(bob, word)


def test_8bit_text_survives_unchanged(system: System, alice: Account, bob: Account) -> None:
    """8BITMIME (RFC 6152), in from outside, between accounts and out."""
    text = "Grüße aus Köln, 25 € «» ça va ?"
    for sender, account in (("erin@outside.test", alice), (alice.short_address, bob)):
        word = token()
        message = eight_bit(sender, account.short_address, word, text)
        if sender.endswith("@outside.test"):
            with system.mx() as session:
                assert session.has_extn("8bitmime") or session.ehlo()
                session.sendmail(sender, [account.short_address], message, mail_options=["BODY=8BITMIME"])
        else:
            with system.submission(alice) as session:
                session.sendmail(sender, [account.short_address], message, mail_options=["BODY=8BITMIME"])
        arrived = system.wait_for(account, word)
        assert arrived["Content-Transfer-Encoding"] == "8bit"
        assert text in arrived.get_content()
    word = token()
    with system.submission(alice) as session:
        outbound = eight_bit(alice.short_address, "erin@outside.test", word, text)
        session.sendmail(alice.short_address, ["erin@outside.test"], outbound, mail_options=["BODY=8BITMIME"])
    assert text in system.world.wait_for(word).get_content()


def eight_bit(sender: str, recipient: str, word: str, text: str) -> bytes:
    kind = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return (head(sender, recipient, f"eight {word}", word) + kind + text + "\r\n").encode()


def test_internationalised_addresses_pass_in_both_directions(system: System, alice: Account) -> None:
    """SMTPUTF8 (RFC 6531): a sender outside and a recipient outside whose addresses are not ASCII."""
    inward = token()
    with system.mx() as session:
        session.ehlo()
        assert session.has_extn("smtputf8")
        message = unicode_message("jürgen@outside.test", alice.short_address, inward)
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        session.sendmail("jürgen@outside.test", [alice.short_address], message, mail_options=options)
    assert "jürgen@outside.test" in str(system.wait_for(alice, inward)["From"])

    outward = token()
    with system.submission(alice) as session:
        message = unicode_message(alice.short_address, "jürgen@outside.test", outward)
        session.sendmail(alice.short_address, ["jürgen@outside.test"], message, mail_options=options)
    system.world.wait_for(outward, "jürgen@outside.test")


def unicode_message(sender: str, recipient: str, word: str) -> bytes:
    kind = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return f"{head(sender, recipient, f'Grüße {word}', word)}{kind}½\r\n".encode()


def head(sender: str, recipient: str, subject: str, word: str) -> str:
    """What every message should have, as it is."""
    more = f"Date: {formatdate()}\r\nMessage-ID: <{word}@outside.test>\r\nMIME-Version: 1.0\r\n"
    return f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n{more}"


def large_message(sender: str, recipient: str, word: str) -> EmailMessage:
    message = compose(sender, recipient, word)
    block = bytes(range(256)) * 4096
    message.add_attachment(block * (LARGE // len(block)), maintype="application", subtype="zip", filename="all.zip")
    return message


def test_a_file_of_25_megabytes_arrives_whole(system: System, alice: Account) -> None:
    """From outside to an account, and from the account to the outside."""
    inward = token()
    with system.mx() as session:
        session.send_message(large_message("erin@outside.test", alice.address, inward))
    message = system.wait_for(alice, inward, seconds=60)
    assert len(next(message.iter_attachments()).get_content()) == LARGE

    outward = token()
    system.submit(alice, large_message(alice.short_address, "erin@outside.test", outward), "erin@outside.test")
    message = system.world.wait_for(outward, seconds=60)
    assert len(next(message.iter_attachments()).get_content()) == LARGE


@pytest.mark.once
def test_a_message_beyond_the_limit_is_refused_at_once(system: System, alice: Account) -> None:
    """RFC 1870: the announced size is refused at MAIL, on port 25 and on submission."""
    with system.mx() as session:
        session.ehlo()
        limit = int(session.esmtp_features["size"])
        assert session.mail("x@outside.test", [f"SIZE={limit + 1}"])[0] == 552
    with system.submission(alice) as session:
        session.ehlo()
        assert int(session.esmtp_features["size"]) > LARGE * 4 // 3
        assert session.mail(alice.short_address, [f"SIZE={limit + 1}"])[0] == 552


def test_lines_that_begin_with_a_dot_and_odd_line_ends_do_no_harm(system: System, alice: Account) -> None:
    """RFC 5321 section 4.5.2; and no second message can be smuggled in behind a bare line feed."""
    word, smuggled = token(), token()
    inner = f"MAIL FROM:<a@outside.test>\r\nRCPT TO:<{alice.address}>\r\nDATA\r\nSubject: {smuggled}\r\n\r\nx\r\n.\r\n"
    dots = f"{head('x@outside.test', alice.address, 'dots', word)}\r\n..one\r\n....two\r\n"
    with system.mx() as session:
        session.ehlo()
        session.mail("x@outside.test")
        session.rcpt(alice.address)
        session.docmd("DATA")
        session.send(f"{dots}\n.\n{inner}".encode())
        assert session.getreply()[0] == 250
    after = system.post(alice.address)
    system.wait_for(alice, after)
    with system.mailbox(alice) as mailbox:
        assert mailbox.count(smuggled) == 0
        assert mailbox.wait_for(word).get_content().splitlines()[:2] == [".one", "...two"]
