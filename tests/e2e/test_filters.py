"""Filters, forwarding and vacation answers: by a mail client (RFC 5804), in the webmail, and as Procmail's recipes."""

import dataclasses
import re
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.support.browser import address, leave, logged_in
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once

GUIDES = Path(__file__).resolve().parents[2] / "docs"
OUTSIDER = "oda@outside.test"
FRIEND = "friend@outside.test"
BROKEN = {
    "a flood of copies": "\n".join(f'redirect "x{number}@outside.test";' for number in range(20)),
    "a folder that is not there": 'require "fileinto"; fileinto "Nowhere";',
    "a script that was damaged": 'redirect "friend@outside.test"; if {',
}


@pytest.fixture(scope="module")
def dora(system: System) -> Account:
    """An account whose server takes Sieve scripts."""
    return system.create("dora", "--stack", "dovecot")


@pytest.fixture(scope="module")
def emil(system: System) -> Account:
    """Another one."""
    return system.create("emil", "--stack", "dovecot")


@pytest.fixture(scope="module")
def carl(system: System) -> Account:
    """An account of the other stack."""
    return system.create("carl", "--stack", "classic")


@pytest.fixture(scope="module")
def wanda(system: System) -> Account:
    """One that uses the webmail alone."""
    return system.create("wanda", "--stack", "dovecot")


def sieve(system: System, account: Account, *options: str, script: str = "") -> tuple[int, str]:
    """What sieve-connect(1) does outside, logged in as the account."""
    system.world.give("/tmp", "script", script.encode())
    client = "sieve-connect --server imap.club.test --port 4190 --tlscafile /etc/ssl/certs/club-ca.pem --passwordfd 3"
    command = f'{client} --user "$1" "${{@:3}}" 3<<<"$2"'
    return system.world.run("bash", "-c", command, "-", account.name, account.password, *options)


def activate(system: System, account: Account, script: str) -> None:
    """Put a script onto the account's server and make it the active one."""
    for options in (["--localsieve", "/tmp/script", "--upload"], ["--activate"]):
        code, output = sieve(system, account, "--remotesieve", "test", *options, script=script)
        assert code == 0, output


def write(system: System, account: Account, name: str, content: str) -> None:
    """Put a file of its owner's into the home folder of an account."""
    script = 'rm -f ~/"$1"; printf %s "$2" > ~/"$1"'
    code, output = execute(system.engine.account(account.name), "sh", "-c", script, "-", name, content, user="box")
    assert code == 0, output


def letter(recipient: str, word: str, sender: str = OUTSIDER) -> EmailMessage:
    return compose(sender, recipient, word)


def in_inbox(system: System, account: Account, word: str) -> int:
    with system.mailbox(account) as mailbox:
        return mailbox.count(word)


def test_a_client_writes_a_filter(system: System, dora: Account) -> None:
    rule = 'if header :contains "Subject" "bill" { fileinto :create "Bills"; }'
    activate(system, dora, f'require ["fileinto", "mailbox"]; {rule}')
    assert '"test" ACTIVE' in sieve(system, dora, "--list")[1]
    system.wait_for(dora, system.post(dora.address, "bill"), "Bills")
    system.wait_for(dora, system.post(dora.address))


def test_an_invalid_script_is_refused_with_its_line(system: System, dora: Account) -> None:
    """What was active stays."""
    activate(system, dora, "keep;")
    options = ("--localsieve", "/tmp/script", "--remotesieve", "test", "--upload")
    code, output = sieve(system, dora, *options, script='require "fileinto";\nif true {\n  fileinto "x"\n}\n')
    assert code != 0
    assert re.search(r"line 4: error: expected end of command", output)
    assert '"test" ACTIVE' in sieve(system, dora, "--list")[1]
    system.wait_for(dora, system.post(dora.address))


def test_who_may_not_is_told_at_once_why(system: System, dora: Account, carl: Account) -> None:
    """A wrong password; an account of the classic stack, whatever the password; nobody before TLS."""
    assert "Authentication failed." in sieve(system, dataclasses.replace(dora, password="wrong"), "--list")[1]
    start = time.monotonic()
    assert "not written in Sieve" in sieve(system, carl, "--list")[1]
    assert time.monotonic() - start < 10
    banner = system.banner(4190)
    assert '"STARTTLS"' in banner
    assert '"SASL" ""' in banner


def test_what_a_filter_forwards_leaves_as_the_account(system: System, dora: Account) -> None:
    """By whichever address it came: the far side can check that this system may send it. A report stays one."""
    activate(system, dora, f'redirect "{FRIEND}";')
    for recipient in (dora.short_address, dora.address):
        message = system.world.wait_for(system.post(recipient, sender=OUTSIDER), FRIEND)
        assert (message["Return-Path"], message["From"]) == (f"<{dora.short_address}>", OUTSIDER)
    assert system.world.wait_for(system.post(dora.address, sender="<>"), FRIEND)["Return-Path"] == "<>"


def test_a_vacation_answer_comes_from_the_address_that_was_written_to(system: System, dora: Account) -> None:
    """Once to each sender, as a report; the message itself is in the inbox."""
    activate(system, dora, 'require "vacation"; vacation "Back on Monday.";')
    for number, recipient in enumerate((dora.short_address, dora.address, dora.address)):
        sender = f"asks{min(number, 1)}@outside.test"
        word = system.post(recipient, sender=sender)
        system.wait_for(dora, word)
        if number < 2:
            answer = system.world.wait_for(f"<{word}@test.invalid>", sender)
            assert recipient in str(answer["From"])
            assert answer["Return-Path"] == "<>"
            assert answer["Auto-Submitted"].startswith("auto-replied")
    assert not system.world.received(f"In-Reply-To: <{word}@test.invalid>")


def test_two_vacation_answers_do_not_answer_each_other(system: System, dora: Account, emil: Account) -> None:
    for account in (dora, emil):
        activate(system, account, 'require "vacation"; vacation "Away.";')
    word = token()
    system.submit(emil, letter(dora.short_address, word, emil.short_address), dora.short_address)
    assert "Auto" in str(system.wait_for(emil, f"<{word}@test.invalid>")["Subject"])
    system.wait_for(emil, system.post(emil.address, sender="<>"))
    assert in_inbox(system, dora, word) == 1


def test_accounts_that_forward_to_each_other_keep_the_message(system: System, dora: Account, emil: Account) -> None:
    """It ends where it began, once; so does that of an account that forwards to itself."""
    activate(system, dora, f'redirect "{emil.short_address}";')
    activate(system, emil, f'redirect "{dora.address}";')
    word = system.post(dora.short_address)
    system.wait_for(dora, word)
    activate(system, emil, f'redirect "{emil.short_address}";')
    own = system.post(emil.address)
    system.wait_for(emil, own)
    assert (in_inbox(system, dora, word), in_inbox(system, emil, word), in_inbox(system, emil, own)) == (1, 0, 1)


@pytest.mark.parametrize("name", ["dora", "carl"])
def test_what_nobody_takes_comes_back_whole(system: System, request: pytest.FixtureRequest, name: str) -> None:
    """All mail goes to an address that refuses it: the report about a large message is in the inbox, whole."""
    account = request.getfixturevalue(name)
    if name == "dora":
        activate(system, account, 'redirect "refused@outside.test";')
    else:
        write(system, account, ".procmailrc", ":0\n! refused@outside.test\n")
    word, last = token(), token()
    body = "A line of a long message.\n" * 20_000 + last
    system.world.send(compose(OUTSIDER, account.address, word, body=body), [account.address])
    report = system.wait_for(account, "MAILER-DAEMON")
    assert report.get_content_type() == "multipart/report"
    assert last in report.as_string()


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_a_filter_that_fails_loses_nothing(system: System, dora: Account, script: str) -> None:
    write(system, dora, ".dovecot.sieve", script)
    system.wait_for(dora, system.post(dora.address))


def settings(page: Page, system: System, action: str) -> None:
    page.goto(f"{address(system)}?_task=settings&_action=plugin.{action}")


def save(page: Page) -> None:
    page.locator(".formbuttons button.submit").click()
    expect(page.locator("#messagestack .confirmation")).to_be_visible()


def test_filters_forwarding_and_vacation_are_made_in_the_webmail(
    system: System, browser: Browser, wanda: Account
) -> None:
    page = logged_in(browser, system, wanda)
    settings(page, system, "managesieve-vacation")
    page.select_option("select[name=vacation_status]", "on")
    page.fill("textarea[name=vacation_reason]", "Je suis à la mer.")
    save(page)
    settings(page, system, "managesieve-forward")
    page.select_option("select[name=forward_status]", "on")
    page.select_option("select[name=forward_action]", "copy")
    page.fill("input[name=action_target]", FRIEND)
    save(page)
    settings(page, system, "managesieve")
    page.locator("a.create").first.click()
    form = page.frame_locator("#filter-box")
    form.locator("input[name=_name]").fill("bills")
    form.locator("[name='_rule_target[0][]']").first.fill("bill")
    form.locator("select[name='_action_mailbox[0]']").select_option("Junk")
    form.locator("button.submit").click()
    expect(page.locator("#filterslist")).to_contain_text("bills")
    leave(page)

    system.wait_for(wanda, system.post(wanda.short_address, "bill"), "Junk")
    word = system.post(wanda.short_address, sender="writes@outside.test")
    system.wait_for(wanda, word)
    assert system.world.wait_for(word, FRIEND)["Return-Path"] == f"<{wanda.short_address}>"
    answer = system.world.wait_for(f"<{word}@test.invalid>", "writes@outside.test")
    body = answer.get_body(("plain",))
    assert body
    assert "Je suis à la mer." in body.get_content()


def test_the_webmail_hides_what_a_stack_cannot(system: System, browser: Browser, carl: Account, wanda: Account) -> None:
    for account, count in ((wanda, 3), (carl, 0)):
        page = logged_in(browser, system, account)
        page.goto(f"{address(system)}?_task=settings")
        expect(page.locator("#settings-menu li.preferences")).to_be_visible()
        expect(page.locator("#settings-menu li:is(.filter, .vacation, .forward)")).to_have_count(count)
        leave(page)


@pytest.mark.parametrize(
    ("guide", "tag", "bills", "bill", "text"),
    [
        ("user.md", "shop", "Invoices", "invoice", "away.txt"),
        ("user.fr.md", "achats", "Factures", "facture", "absence.txt"),
    ],
)
def test_the_recipes_of_the_users_guide_do_what_it_says(
    system: System, carl: Account, guide: str, tag: str, bills: str, bill: str, text: str
) -> None:
    """For an account of the classic stack; all recipes together, with the names of this system."""
    blocks = re.findall(r"```text\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)
    recipes = "\n".join(block for block in blocks if ":0" in block)
    recipes = re.sub(r"alice@(elsewhere|ailleurs)\.example", FRIEND, recipes)
    recipes = recipes.replace("example\\.org", "club\\.test").replace("example.org", "club.test")
    write(system, carl, ".procmailrc", recipes.replace("alice", carl.name))
    write(system, carl, text, "Away.\n")

    system.wait_for(carl, system.post(carl.short_address.replace("@", f"+{tag}@")), f"INBOX.{tag.capitalize()}")
    for recipient, answered in ((carl.short_address, True), (carl.address, False)):
        word = system.post(recipient, bill, sender=f"{tag}@outside.test")
        for folder in ("INBOX", f"INBOX.{bills}"):
            system.wait_for(carl, word, folder)
        sender = str(system.world.wait_for(word, FRIEND)["Return-Path"]).strip("<>")
        assert sender in {carl.short_address, carl.address}
        reply = f"In-Reply-To: <{word}@test.invalid>"
        if answered:
            answer = system.world.wait_for(reply, f"{tag}@outside.test")
            assert (answer["From"], answer["Return-Path"]) == (carl.short_address, "<>")
        else:
            assert not system.world.received(reply)
