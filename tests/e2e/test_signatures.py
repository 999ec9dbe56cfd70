"""What leaves is signed for the domain in its header From (RFC 6376, RFC 8463), and tells no more than it must."""

import re

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, smtp, token
from tests.e2e.support.signatures import check, publish
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once


def signatures(system: System, word: str) -> list[tuple[str, str, str]]:
    """Of a message that has left: algorithm, domain and selector of each signature, from the top."""
    message = system.world.wait_for(word, seconds=60)
    tags = [
        dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", str(value))))
        for value in message.get_all("DKIM-Signature", [])
    ]
    return [(one["a"], one["d"], one["s"]) for one in tags]


@pytest.mark.parametrize(
    ("sender", "domain"), [("Alice@club.test", "club.test"), ("box@alice.club.test", "alice.club.test")]
)
def test_everything_an_account_sends_is_signed_with_both_keys_of_its_domain(
    system: System, alice: Account, sender: str, domain: str
) -> None:
    publish(system)
    word = token()
    message = compose(f"Alice <{sender}>", "erin@outside.test", word)
    with system.submission(alice) as session:
        session.sendmail(sender, ["erin@outside.test"], message.as_bytes())
    assert [one[:2] for one in signatures(system, word)] == [("rsa-sha256", domain), ("ed25519-sha256", domain)]
    check(system, word)


def test_a_new_key_signs_at_once_and_what_was_signed_before_stays_right(system: System) -> None:
    account = system.create("rotor")
    words = [token(), token()]
    used = []
    for word in words:
        message = compose(account.address, "erin@outside.test", word)
        with system.submission(account) as session:
            session.sendmail(account.address, ["erin@outside.test"], message.as_bytes())
        used += [selector for _, _, selector in signatures(system, word)]
        system.cli.ok("dkim", "rotate", account.name)
    assert len(set(used)) == 4
    publish(system)
    for word in words:
        check(system, word)


def test_a_report_of_mains_own_is_signed(system: System, alice: Account) -> None:
    word = token()
    system.submit(alice, compose(alice.short_address, "refused@outside.test", word), "refused@outside.test")
    with system.mailbox(alice) as mailbox:
        report = until(lambda: mailbox.anywhere(word), "a bounce")[0]
    assert [re.findall(r"d=([\w.]+)", str(value)) for value in report.get_all("DKIM-Signature", [])] == [
        ["club.test"]
    ] * 2


def test_what_an_account_forwards_is_not_signed_as_its_authors(system: System, alice: Account, bob: Account) -> None:
    """Whoever sent it: a forged message would get a true signature."""
    word = token()
    forged = compose(bob.short_address, alice.short_address, word)
    with system.mx() as session:
        session.send_message(forged, from_addr="someone@outside.test", to_addrs=[alice.short_address])
    system.wait_for(alice, word)
    script = f'cd; sendmail -f {alice.short_address} erin@outside.test < "$(grep -rl {word} Maildir/new Maildir/cur)"'
    code, said = execute(system.engine.account(alice.name), "sh", "-c", script, user="box")
    assert code == 0, said
    assert signatures(system, word) == []


def test_while_nobody_signs_what_accounts_send_waits_and_what_comes_in_arrives(system: System, alice: Account) -> None:
    def refused() -> bool:
        with smtp(system.world.main_address, 10025) as session:
            session.ehlo("alice.club.test")
            return session.docmd("STARTTLS")[0] == 454

    word = token()
    execute(system.main, "s6-svc", "-wD", "-d", "/run/service/rspamd")
    try:
        system.wait_for(alice, system.post(alice.address))
        system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
        account = system.engine.account(alice.name)
        until(lambda: "454" in execute(account, "postqueue", "-j")[1], "the message in the account's queue", 30)
        assert not system.world.received(word)
    finally:
        execute(system.main, "s6-svc", "-u", "/run/service/rspamd")
    until(lambda: not refused(), "the signer")
    execute(account, "postqueue", "-f")
    assert len(signatures(system, word)) == 2


def test_what_leaves_does_not_tell_where_its_sender_was(system: System, alice: Account) -> None:
    """Neither the mail app's address nor the system's own networks'."""
    word = token()
    system.submit(alice, compose(alice.short_address, "erin@outside.test", word), "erin@outside.test")
    message = system.world.wait_for(word)
    arrival, *earlier = [str(line) for line in message.get_all("Received", [])]
    assert "by mx.outside.test" in arrival
    # The name that main says it has is the one that the DNS knows it by (RFC 5321 section 4.1.4).
    assert arrival.startswith("from mail.club.test (")
    assert earlier
    assert all(re.match(r"by (mail|alice)\.club\.test \(Postfix\) with \w+ id \w+; ", line) for line in earlier), (
        earlier
    )
    assert not any(name.lower().startswith("x-mailpod") for name in message)
