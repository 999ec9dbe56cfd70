"""Which addresses exist, where they lead, and what is refused at RCPT."""

import pytest
from tests.e2e.support.mail import compose, rcpt_code, token
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once


def rcpt(system: System, recipient: str) -> int:
    return rcpt_code("127.0.0.1", system.port(25), recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "box@alice.club.test",
        "alice@club.test",
        "box+shop@alice.club.test",
        "alice+shop@club.test",
        "BOX@Alice.CLUB.test",
        "Alice+Shop@Club.Test",
    ],
)
def test_every_form_of_an_address_reaches_the_account(system: System, alice: Account, recipient: str) -> None:
    """Canonical, short, a tag on both, in whatever case (RFC 5321 section 2.4)."""
    word = system.post(recipient)
    message = system.wait_for(alice, word)
    assert message["To"] == recipient


def test_the_account_sees_under_which_tag_mail_came(system: System, alice: Account) -> None:
    """The tag survives to the account, so that a filter there can use it."""
    word = system.post(f"alice+shop@{system.domain}")
    message = system.wait_for(alice, word)
    traces = [str(value) for header in ("Delivered-To", "X-Original-To") for value in message.get_all(header, [])]
    assert any("+shop@" in trace for trace in traces), message.items()


@pytest.mark.parametrize(
    "recipient",
    [
        "nobody@club.test",
        "nobody+tag@club.test",
        "box@club.test",
        "box@nobody.club.test",
        "alice@alice.club.test",
        "other@alice.club.test",
        "box@x.alice.club.test",
        "root@club.test",
        '"alice@outside.test"@club.test',
        "alice%outside.test@club.test",
        "@club.test:alice@outside.test",
    ],
)
def test_what_does_not_exist_is_refused_at_rcpt(system: System, recipient: str) -> None:
    """550 (or another permanent refusal of a malformed one), so that no bounce has to be sent later."""
    code = rcpt(system, recipient)
    assert 500 <= code < 600
    if recipient.count("@") == 1 and "%" not in recipient:
        assert code == 550


def test_an_alias_reaches_accounts_and_addresses_outside(system: System, alice: Account, bob: Account) -> None:
    """contact@ stands for two accounts and an address elsewhere, which is told whom it was written to."""
    contact = f"contact@{system.domain}"
    system.cli.ok("alias", "add", contact, "alice", bob.address, "contact@outside.test")
    listed = system.cli.ok("alias", "list", "--json").json()
    assert contact in [alias["address"] for alias in listed]
    word = system.post(contact)
    system.wait_for(alice, word)
    system.wait_for(bob, word)
    assert system.world.wait_for(word, "contact@outside.test")["To"] == contact

    system.cli.ok("alias", "delete", contact)
    assert rcpt(system, contact) == 550


def test_an_alias_may_stand_for_another_alias_and_reaches_everyone_once(
    system: System, alice: Account, bob: Account
) -> None:
    system.cli.ok("alias", "add", "desk", "alice", "bob")
    system.cli.ok("alias", "add", f"everyone@{system.domain}", f"desk@{system.domain}", "alice")
    word = system.post(f"everyone@{system.domain}")
    for account in (alice, bob):
        system.wait_for(account, word)
    marker = system.post(f"everyone@{system.domain}")
    for account in (alice, bob):
        system.wait_for(account, marker)
        with system.mailbox(account) as mailbox:
            assert mailbox.count(word) == 1
    for name in ("everyone", "desk"):
        system.cli.ok("alias", "delete", name)


def test_an_alias_may_name_an_address_with_a_tag(system: System, alice: Account) -> None:
    """So that a filter of hers knows under which alias it came."""
    system.cli.ok("alias", "add", "lists", "alice+Lists", f"box+lists@alice.{system.domain}")
    word = system.post(f"lists@{system.domain}")
    message = system.wait_for(alice, word)
    traces = [str(value) for header in ("Delivered-To", "X-Original-To") for value in message.get_all(header, [])]
    assert any("+lists@" in trace.lower() for trace in traces), message.items()
    system.cli.ok("alias", "delete", "lists")


def test_who_gets_the_name_of_a_deleted_account_does_not_get_its_aliases(system: System, alice: Account) -> None:
    """An alias of nobody goes with the account; the roles of RFC 2142 go to the oldest account again."""
    system.create("fleeting")
    system.cli.ok("alias", "add", "board", "fleeting")
    system.cli.ok("alias", "add", "postmaster", "fleeting")
    system.cli.ok("account", "delete", "fleeting", "--purge", "--yes")
    newcomer = system.create("fleeting")
    assert rcpt(system, f"board@{system.domain}") == 550
    word = system.post(f"postmaster@{system.domain}")
    system.wait_for(alice, word)
    with system.mailbox(newcomer) as mailbox:
        assert mailbox.count(word) == 0
    for name in ("board", "postmaster"):
        assert system.cli.run("alias", "delete", name).code == 3


def test_an_alias_that_main_cannot_be_told_of_stays_as_it_was(undamaged: System) -> None:
    undamaged.cli.ok("alias", "add", "steady", "alice")
    before = undamaged.cli.ok("alias", "list").out
    undamaged.main.stop(timeout=10)
    for arguments in (("add", "steady", "x@outside.test"), ("add", "other", "alice"), ("delete", "steady")):
        assert undamaged.cli.run("alias", *arguments).code == 1
    assert undamaged.cli.ok("alias", "list").out == before
    undamaged.apply()
    undamaged.cli.ok("alias", "delete", "steady")


@pytest.mark.parametrize("role", ["postmaster", "abuse", "Postmaster"])
@pytest.mark.parametrize("where", ["club.test", "alice.club.test"])
def test_role_addresses_always_reach_someone(system: System, alice: Account, role: str, where: str) -> None:
    """RFC 2142 and RFC 5321 section 4.5.1, of the domain and of every subdomain: the first account, by default."""
    word = system.post(f"{role}@{where}")
    system.wait_for(alice, word)


def test_postmaster_may_be_written_without_a_domain(system: System) -> None:
    """RFC 5321 section 4.5.1: the only address that needs no domain."""
    assert rcpt(system, "postmaster") == 250
    assert rcpt(system, "nobody") == 550


def test_the_operator_chooses_who_reads_postmaster(system: System, bob: Account) -> None:
    system.cli.ok("alias", "add", "postmaster", "bob")
    word = token()
    with system.mx() as session:
        session.send_message(compose("x@outside.test", "postmaster", word), to_addrs=["postmaster"])
    system.wait_for(bob, word)
    for role in (f"postmaster@alice.{system.domain}", f"abuse@{system.domain}"):
        assert rcpt(system, role) == 250
    system.cli.ok("alias", "delete", "postmaster")
    assert rcpt(system, "postmaster") == 250
