"""What comes from outside: who vouches for it is written on it, spam is marked or refused, and nothing is bounced."""

import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import GTUBE, MARKED, compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

STRICT = "strict.test"
ANN = f"ann@{STRICT}"
# Everything that waits has come so much earlier.
FIVE_MINUTES_LATER = """
ask() { valkey-cli -s /run/greylist/socket "$@"; }
ask --scan | while read -r key; do ask SETEX "$key" 86400 $(($(ask GET "$key") - 301)) || exit; done
"""
# By stack: how its folders' names begin, and a filter of an owner's.
PREFIX = {"dovecot": "", "classic": "INBOX."}
OWN_FILTER = {
    "dovecot": (
        ".dovecot.sieve",
        'require "fileinto"; if header :contains "Subject" "wanted" { fileinto "Drafts"; }\n',
    ),
    "classic": (".procmailrc", ":0\n* ^Subject:.*wanted\n.Drafts/\n"),
}


@pytest.fixture(scope="module", autouse=True)
def strict(system: System) -> None:
    """A domain outside that signs what it sends, and wants nothing else to be taken for its own."""
    code, said = system.world.run("sh", "-c", "cd /tmp && dknewkey --ktype rsa strict && cat strict.dns")
    assert code == 0, said
    key = said[said.index("v=DKIM1") :].replace('"', "").strip()
    world = system.world
    allowed = f"v=spf1 ip4:{world.address} ip6:{world.ipv6_subnet[2]} -all"
    world.publish({STRICT: allowed, f"_dmarc.{STRICT}": "v=DMARC1; p=reject", f"s1._domainkey.{STRICT}": key})


def sent_by_its_server(system: System, message: EmailMessage, recipient: str) -> None:
    """Signed and sealed (ARC, RFC 8617), from an address that its domain names."""
    system.world.give("/tmp", "message", message.as_bytes())
    signing = f"dkimsign s1 {STRICT} /tmp/strict.key < /tmp/message > /tmp/own"
    sealing = f"arcsign s1 {STRICT} /tmp/strict.key mx.{STRICT} < /tmp/own > /tmp/signed"
    code, signed = system.world.run("sh", "-c", f"{signing} && {sealing}")
    assert code == 0, signed
    script = f"sendmail -f {ANN} {recipient} < /tmp/signed"
    assert system.world.run("sh", "-c", script)[0] == 0


def handed_in(system: System, message: EmailMessage, recipient: str, sender: str = "someone@outside.test") -> int:
    """By anybody, from anywhere; what main answers."""
    with system.mx() as session:
        try:
            session.send_message(message, from_addr=sender, to_addrs=[recipient])
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code
    return 250


def results(message: EmailMessage) -> list[str]:
    return [" ".join(str(one).split()) for one in message.get_all("Authentication-Results", [])]


@pytest.mark.once
def test_who_vouches_for_a_message_is_written_on_it(system: System, alice: Account) -> None:
    """RFC 8601; what claims to be main's word is removed, what others have found stays."""
    word = token()
    message = compose(ANN, alice.short_address, word)
    message["Authentication-Results"] = "mail.club.test; dkim=pass header.d=bank.test"
    message["Authentication-Results"] = "mx.strict.test; none"
    message["Authentication-Results"] = '"MAIL.club.test" 1; spf=pass'
    message["Authentication-Results"] = "(a;b) mail.club.test; dkim=pass header.d=bank.test"
    sent_by_its_server(system, message, alice.short_address)
    found = results(system.wait_for(alice, word))
    [ours] = [one for one in found if "club.test" in one]
    assert ours.startswith("mail.club.test; ")
    assert "spf=pass" in ours
    assert f"dkim=pass header.d={STRICT}" in ours
    assert "dmarc=pass" in ours
    assert "arc=pass" in ours
    assert "mx.strict.test; none" in found


@pytest.mark.once
def test_what_a_domain_disowns_is_refused(system: System, alice: Account) -> None:
    """DMARC with p=reject (RFC 7489): while the sender's server waits, so that nobody gets a report of it."""
    word = token()
    assert handed_in(system, compose(ANN, alice.short_address, word), alice.short_address) in {550, 554}
    with system.mailbox(alice) as mailbox:
        assert not mailbox.count(word)
    assert not system.waiting()


@pytest.mark.once
def test_obvious_spam_is_refused(system: System, alice: Account) -> None:
    message = compose("someone@outside.test", alice.short_address, token(), body=f"{GTUBE}\n")
    assert handed_in(system, message, alice.short_address) in {550, 554}
    assert not system.waiting()


@pytest.mark.once
def test_what_looks_doubtful_waits_five_minutes_once(system: System, alice: Account) -> None:
    """Its sender's server may be another one the next time."""
    word = token().upper()
    message = compose(f"{word}@doubtful.test", alice.short_address, word, subject="YOU HAVE WON A PRIZE")
    message.replace_header("From", f'"service@bank.test" <{word}@doubtful.test>')
    message.set_content("Hello.\n", cte="base64")
    assert handed_in(system, message, alice.short_address, f"{word}@one.test") == 451
    assert handed_in(system, message, alice.short_address, f"{word}@one.test") == 451
    code, said = execute(system.main, "sh", "-c", FIVE_MINUTES_LATER)
    assert code == 0, said
    assert handed_in(system, message, alice.short_address, f"{word}@two.test") == 250
    system.wait_for(alice, word)


@pytest.mark.once
@pytest.mark.parametrize("head", ["", "Subject: from the printer\r\n", "From: scanner@outside.test\r\n"])
def test_what_lacks_headers_is_no_spam(system: System, alice: Account, head: str) -> None:
    """Printers and scripts leave them out."""
    word = token()
    with system.mx() as session:
        session.sendmail("scanner@outside.test", [alice.address], f"{head}\r\n{word}\r\n")
    with system.mailbox(alice) as mailbox:
        until(lambda: mailbox.anywhere(word), "the message in the inbox", 20)


def test_spam_goes_to_junk_unless_its_owner_wants_it_elsewhere(system: System) -> None:
    account = system.create("judy")
    word, wanted = token(), token()
    name, text = OWN_FILTER[system.stack]
    there = system.engine.account(account.name)
    assert execute(there, "sh", "-c", 'printf %s "$2" > ~/"$1"', "-", name, text, user="box")[0] == 0
    for subject, one in (("", word), ("wanted", wanted)):
        message = compose("someone@outside.test", account.address, one, subject=subject, body=f"{MARKED}\n")
        assert handed_in(system, message, account.address) == 250
    assert system.wait_for(account, word, f"{PREFIX[system.stack]}Junk")["X-Spam"] == "Yes"
    system.wait_for(account, wanted, f"{PREFIX[system.stack]}Drafts")


@pytest.fixture
def lost_resolver(system: System) -> Iterator[None]:
    """The only resolver answers nobody."""
    system.world.run("sh", "-c", "kill -STOP $(pidof unbound)")
    yield
    system.world.run("sh", "-c", "kill -CONT $(pidof unbound)")


@pytest.mark.once
@pytest.mark.usefixtures("lost_resolver")
def test_mail_flows_while_the_dns_does_not_answer(system: System, alice: Account) -> None:
    word, start = token(), time.monotonic()
    message = compose("carl@elsewhere.test", alice.short_address, word)
    assert handed_in(system, message, alice.short_address, "carl@elsewhere.test") == 250
    assert time.monotonic() - start < 20
    assert "dmarc=pass" not in "".join(results(system.wait_for(alice, word)))
