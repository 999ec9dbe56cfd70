"""Webmail in a real browser: reading, answering, and who it answers as."""

from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as BrowserTimeout
from tests.e2e.support.browser import address, leave, log_in, logged_in, new_page
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

SUBJECT = "Été à Zürich «» 夏 "


@pytest.mark.parametrize("login", ["alice", "alice@club.test", "box@alice.club.test"])
def test_every_form_of_the_login_opens_the_mailbox(
    system: System, browser: Browser, alice: Account, login: str
) -> None:
    page = new_page(browser)
    log_in(page, system, login, alice.password)
    expect(page.locator("#mailboxlist")).to_be_visible()
    leave(page)


def test_an_app_password_opens_the_mailbox_until_it_is_revoked(system: System, browser: Browser, bob: Account) -> None:
    made = system.cli.ok("account", "app-password", "add", bob.name, "web", "--scope", "imap", "--json").json()
    page = logged_in(browser, system, replace(bob, password=made["password"]))
    system.cli.ok("account", "app-password", "revoke", bob.name, "web")
    page.reload()
    expect(page.locator("#messagestack .error").first).to_be_visible()
    leave(page)


def test_a_wrong_password_is_told_and_opens_nothing(system: System, browser: Browser, alice: Account) -> None:
    page = new_page(browser)
    log_in(page, system, alice.name, "wrong password")
    expect(page.locator("#messagestack .error, #messagestack .warning").first).to_be_visible()
    expect(page.locator("#rcmloginpwd")).to_be_visible()
    leave(page)


@pytest.mark.once
def test_it_shows_how_much_of_a_quota_is_used(system: System, browser: Browser, bob: Account) -> None:
    system.cli.ok("account", "set", bob.name, "--quota", "10m")
    page = logged_in(browser, system, bob)
    expect(page.locator("#quotadisplay")).to_contain_text("%")
    leave(page)
    system.cli.ok("account", "set", bob.name, "--quota", "none")


def test_webmail_answers_at_the_bare_domain_too(system: System, browser: Browser, bob: Account) -> None:
    page = new_page(browser)
    log_in(page, system, bob.name, bob.password, host="")
    expect(page.locator("#mailboxlist")).to_be_visible()
    leave(page)


@pytest.mark.once
@pytest.mark.parametrize(("locale", "label"), [("fr-FR", "Mot de passe"), ("de-DE", "Passwort")])
def test_webmail_speaks_the_browsers_language(system: System, browser: Browser, locale: str, label: str) -> None:
    """Before and after somebody has logged in for the first time."""
    reader = system.create(f"reader-{locale.lower()}")
    page = new_page(browser, locale)
    page.goto(address(system))
    expect(page.locator("label[for=rcmloginpwd]")).to_contain_text(label)
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    log_in(page, system, reader.name, reader.password)
    page.wait_for_selector("#mailboxlist")
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    leave(page)


def with_attachment(recipient: str, word: str) -> EmailMessage:
    message = compose("erin@outside.test", recipient, word, subject=SUBJECT, body="Bonjour, voilà.\n")
    message.add_attachment("prix;10 €\n".encode(), maintype="text", subtype="csv", filename="liste-été.csv")
    return message


def open_message(page: Page, word: str) -> None:
    """Open the message with `word` in its subject, which the mailbox already holds."""
    row = page.locator("#messagelist tbody tr", has_text=word)
    try:
        row.wait_for()
    except BrowserTimeout:
        pytest.fail(f"no {word} in:\n{page.locator('body').inner_text()}")
    row.locator("td.subject").dblclick()
    page.wait_for_selector("#message-header")


def test_a_message_from_outside_is_read_and_answered(
    system: System, browser: Browser, alice: Account, tmp_path: Path
) -> None:
    """A subject and a file's name that are not ASCII, an attachment that downloads whole, a reply that arrives."""
    word = token()
    system.world.send(with_attachment(alice.short_address, word), [alice.short_address])
    system.wait_for(alice, word)
    page = logged_in(browser, system, alice)
    open_message(page, word)
    expect(page.locator("#message-header .subject")).to_contain_text(f"{SUBJECT}{word}")
    expect(page.locator("#messagebody")).to_contain_text("Bonjour, voilà.")
    file = page.locator("#attachment-list li", has_text="liste-été.csv")
    expect(file).to_be_visible()
    with page.expect_download() as download:
        page.goto(page.url)
        link = page.locator("#attachment-list li a.filename").get_attribute("href")
        page.evaluate("href => { window.location.href = href + '&_download=1' }", link)
    download.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_text() == "prix;10 €\n"

    page.locator("a.reply:not(.disabled):visible").first.click()
    page.wait_for_selector("#composebody")
    assert page.input_value("#compose-subject").startswith("Re: ")
    page.fill("#composebody", "Merci, à bientôt !")
    page.click("button.send, a.send")
    reply = system.world.wait_for(f"<{word}@test.invalid>", "erin@outside.test")
    assert alice.short_address in str(reply["From"])
    assert reply["Return-Path"] == f"<{alice.short_address}>"
    assert str(reply["Subject"]) == f"Re: {SUBJECT}{word}"
    body = reply.get_body(("plain",))
    assert body
    assert "Merci, à bientôt !" in body.get_content()
    with system.mailbox(alice) as mailbox:
        sent = next(name for name in mailbox.folders() if name.endswith("Sent"))
    kept = system.wait_for(alice, f"<{word}@test.invalid>", sent)
    assert "erin@outside.test" in str(kept["To"])
    leave(page)


@pytest.mark.once
def test_the_accounts_addresses_are_its_identities(system: System, browser: Browser, alice: Account) -> None:
    """Both addresses may be chosen as sender, the short one first."""
    page = logged_in(browser, system, alice)
    page.goto(f"{address(system)}?_task=mail&_action=compose")
    options = page.locator("#_from option").all_text_contents()
    assert len(options) == 2
    assert alice.short_address in options[0]
    assert alice.address in options[1]
    leave(page)


def compose_page(page: Page, system: System) -> None:
    page.goto(f"{address(system)}?_task=mail&_action=compose")
    page.wait_for_selector("#composebody")


def senders(page: Page, system: System) -> list[str]:
    """Whom a new message may come from."""
    compose_page(page, system)
    return page.locator("#_from option").all_text_contents()


def name_oneself(page: Page, system: System, name: str) -> None:
    """Put a name of one's own to the first identity."""
    page.goto(f"{address(system)}?_task=settings&_action=identities")
    page.locator("#identities-table tbody tr").first.click()
    form = page.frame_locator("#preferences-frame")
    form.locator("input[name=_name]").fill(name)
    form.locator("button.submit").click()
    expect(page.locator("#identities-table tbody tr").first).to_contain_text(name)


@pytest.mark.once
def test_a_new_owner_of_a_name_finds_nothing_of_the_old_one(system: System, browser: Browser) -> None:
    """After a purge, what the webmail stored goes as well: it is nowhere on main's volume any more."""
    old = system.create("heir")
    name = token()
    page = logged_in(browser, system, old)
    name_oneself(page, system, name)
    assert name in senders(page, system)[0]
    leave(page)
    system.cli.ok("account", "delete", "heir", "--purge", "--yes")

    new = system.create("heir")
    page = logged_in(browser, system, new)
    assert senders(page, system) == [f"heir <{new.short_address}>", f"heir <{new.address}>"]
    leave(page)
    assert execute(system.main, "grep", "--recursive", name, "/data/roundcube") == (1, "")


@pytest.mark.once
def test_an_account_that_comes_back_finds_its_webmail_as_it_was(
    system: System, browser: Browser, alice: Account
) -> None:
    """Its settings are kept as long as its volume, whoever logs in or has the name meanwhile."""
    account = system.create("returner")
    name = token()
    page = logged_in(browser, system, account)
    name_oneself(page, system, name)
    leave(page)
    system.cli.ok("account", "delete", "returner", "--yes")
    logged_in(browser, system, alice).context.close()
    system.cli.ok("account", "undelete", "returner")
    page = logged_in(browser, system, account)
    assert name in senders(page, system)[0]
    leave(page)


def special_folder(system: System, account: Account, name: str) -> str:
    with system.mailbox(account) as mailbox:
        return next(folder for folder in mailbox.folders() if folder.endswith(name))


def test_a_draft_is_kept_among_the_drafts(system: System, browser: Browser, bob: Account) -> None:
    """Where any other client of the account finds it."""
    word = token()
    page = logged_in(browser, system, bob)
    compose_page(page, system)
    page.fill("#compose-subject", word)
    page.fill("#composebody", "Not yet.")
    page.locator("a.draft:visible, a.save.draft:visible").first.click()
    system.wait_for(bob, word, special_folder(system, bob, "Drafts"))
    leave(page)


@pytest.mark.parametrize(("button", "folder"), [("a.delete", "Trash"), ("a.junk", "Junk")])
def test_a_message_is_moved_to_the_special_folder(
    system: System, browser: Browser, bob: Account, button: str, folder: str
) -> None:
    """What is deleted to the trash, what is called junk to the junk, and neither stays in the inbox."""
    word = system.post(bob.address)
    system.wait_for(bob, word)
    page = logged_in(browser, system, bob)
    open_message(page, word)
    page.locator(f"{button}:not(.disabled):visible").first.click()
    system.wait_for(bob, word, special_folder(system, bob, folder))
    with system.mailbox(bob) as mailbox:
        assert mailbox.count(word) == 0
    leave(page)


def test_a_large_file_can_be_attached(system: System, browser: Browser, alice: Account, tmp_path: Path) -> None:
    """25 MB pass through the web server, PHP and the account's submission."""
    word = token()
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(25 * 1024 * 1024))
    page = logged_in(browser, system, alice)
    page.goto(f"{address(system)}?_task=mail&_action=compose")
    page.fill("#_to + ul input, #_to", "erin@outside.test")
    page.keyboard.press("Enter")
    page.fill("#compose-subject", word)
    page.fill("#composebody", word)
    page.set_input_files("#uploadform input[type=file], input[name='_attachments[]']", large)
    outcome = page.locator("#attachment-list li:not(.uploading), #messagestack .error").first
    expect(outcome).to_be_visible(timeout=60_000)
    expect(page.locator("#messagestack .error")).to_have_count(0)
    page.click("button.send, a.send")
    message = system.world.wait_for(word, seconds=60)
    assert len(next(message.iter_attachments()).get_content()) == 25 * 1024 * 1024
    leave(page)


@pytest.mark.once
def test_the_web_server_presents_the_systems_certificate_and_leads_to_https(system: System) -> None:
    """Verified with curl, from outside, on the standard ports."""
    trust = (
        "--cacert",
        "/etc/ssl/certs/club-ca.pem",
        "--write-out",
        "%{http_code} %{redirect_url}",
        "--output",
        "/dev/null",
    )
    plain = system.world.run("curl", "--silent", *trust, f"http://webmail.{system.domain}/?_task=mail")[1]
    assert plain == f"301 https://webmail.{system.domain}:{system.port(443)}/?_task=mail"
    for host in ("webmail.", ""):
        code, output = system.world.run("curl", "--silent", "--show-error", *trust, f"https://{host}{system.domain}/")
        assert (code, output.strip()) == (0, "200")


@pytest.mark.once
@pytest.mark.parametrize(
    "path", ["config/config.inc.php", "logs/errors.log", "temp/", "SQL/", "installer/", ".htaccess", "../etc/passwd"]
)
def test_the_web_server_hands_out_none_of_its_own_files(system: System, path: str) -> None:
    code, output = system.world.run(
        *("curl", "--silent", "--path-as-is", "--cacert", "/etc/ssl/certs/club-ca.pem"),
        *("--output", "/dev/null", "--write-out", "%{http_code}", f"https://webmail.{system.domain}/{path}"),
    )
    assert code == 0
    assert output.strip() in {"301", "302", "400", "403", "404"}


@pytest.mark.once
def test_a_page_of_webmail_forbids_framing_and_sniffing(system: System) -> None:
    _, output = system.world.run(
        *("curl", "--silent", "--head", "--cacert", "/etc/ssl/certs/club-ca.pem", f"https://webmail.{system.domain}/")
    )
    headers = output.lower()
    assert "x-frame-options:" in headers or "frame-ancestors" in headers
    assert "x-content-type-options: nosniff" in headers
    assert "httponly" in headers
    assert "secure" in headers
