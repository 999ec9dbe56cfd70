"""Passwords of single apps, and what is kept of any password."""

import dataclasses
import imaplib
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import get_args

import pytest
from tests.e2e.support.engine import execute, get_files, put_file
from tests.e2e.support.system import Account, System

from mailpod.model.records import Stack

BCRYPT = "$2b$10$N9qo8uLOickgx2ZMRZoMye4rM/4VIYi81FG0XSCd3L666i1n79tw."
"""Of "a passphrase of old", as accounts kept it before."""

reaches = System.reaches


@pytest.fixture(scope="module")
def owner(system: System) -> Account:
    """An account with as little memory as there can be."""
    return system.create("owner", "--memory", "64m")


@pytest.fixture(scope="module")
def apps(system: System, owner: Account) -> dict[str, Account]:
    """The account as apps know it that have passwords of their own, by scope; all are made at once."""
    scopes = ("imap", "submission", "all")
    with ThreadPoolExecutor() as pool:
        return dict(zip(scopes, pool.map(lambda scope: add(system, owner, f"for-{scope}", scope), scopes), strict=True))


def add(system: System, owner: Account, name: str, scope: str) -> Account:
    made = system.cli.ok("account", "app-password", "add", owner.name, name, "--scope", scope, "--json").json()
    assert (made["name"], made["scope"], made["last_use"]) == (name, scope, None)
    return dataclasses.replace(owner, password=made["password"])


def last_uses(system: System, owner: Account) -> dict[str, str | None]:
    listed = system.cli.ok("account", "app-password", "list", owner.name, "--json").json()
    return {one["name"]: one["last_use"] for one in listed}


def sends(system: System, account: Account) -> bool:
    """Whether a login leads to the account's submission."""
    try:
        with system.submission(account, account.short_address):
            return True
    except smtplib.SMTPAuthenticationError:
        return False


def each(system: System, *tries: tuple[Callable[[System, Account], bool], Account]) -> set[bool]:
    """What comes of these logins; a refusal takes seconds, so all are tried at once."""
    with ThreadPoolExecutor() as pool:
        return set(pool.map(lambda one: one[0](system, one[1]), tries))


def test_an_app_password_opens_what_its_scope_says_and_tells_of_its_use(
    system: System, owner: Account, apps: dict[str, Account]
) -> None:
    reader, sender, phone = apps["imap"], apps["submission"], apps["all"]
    guess = dataclasses.replace(phone, password=f"{phone.password[:-1]}-")
    assert each(system, (reaches, sender), (sends, reader), (reaches, guess), (sends, guess)) == {False}
    assert last_uses(system, owner) == {"for-imap": None, "for-submission": None, "for-all": None}
    start = datetime.now().astimezone().replace(microsecond=0)
    assert each(system, (reaches, reader), (sends, sender), (reaches, owner), (sends, owner)) == {True}
    assert each(system, (reaches, phone), (sends, phone)) == {True}
    assert all(use and datetime.fromisoformat(use) >= start for use in last_uses(system, owner).values())


def test_the_volume_keeps_hashes_of_both_kinds_and_no_password(
    system: System, owner: Account, apps: dict[str, Account]
) -> None:
    """yescrypt for Courier, ARGON2ID for Dovecot: of the main password and of each app's."""
    container = system.engine.account(owner.name)
    kept = dict(get_files(container, "/data/etc"))
    for name, count in (("password", 1), ("app_passwords", len(apps))):
        words = kept[f"etc/{name}"].decode().split()
        for kind in ("$y$j9T$", "$argon2id$v=19$m=19456,t=2,p=1$"):
            assert sum(word.startswith(kind) for word in words) == count, (name, kind)
    for account in (owner, *apps.values()):
        assert not any(account.password.encode() in content for content in kept.values())
    modes = execute(container, "sh", "-c", "stat -c %a /data/etc/*password* /run/mailpod/app_passwords")[1]
    assert modes.split() == ["600"] * 3


def test_it_stays_when_the_container_is_made_anew_and_when_the_account_comes_back(
    system: System, owner: Account, apps: dict[str, Account]
) -> None:
    """With its last use. While the account is away, the command says so."""
    assert system.reaches(apps["all"])
    used = last_uses(system, owner)
    assert used["for-all"]
    system.engine.account(owner.name).remove(force=True)
    away = system.cli.run("account", "app-password", "list", owner.name)
    assert (away.code, away.out) == (1, "")
    assert "is not running" in away.complaint[0]
    assert len(away.complaint) == 2
    system.apply()
    assert last_uses(system, owner) == used
    assert system.reaches(apps["all"])
    system.cli.ok("account", "delete", owner.name, "--yes")
    system.cli.ok("account", "undelete", owner.name)
    assert each(system, (reaches, apps["all"]), (reaches, owner)) == {True}


def test_a_revoked_password_fails_at_once_and_no_session_goes_on_with_it(
    system: System, owner: Account, apps: dict[str, Account]
) -> None:
    """The others hold."""
    tablet = add(system, owner, "tablet", "all")
    with system.mailbox(tablet) as mailbox:
        mailbox.session.select("INBOX")
        system.cli.ok("account", "app-password", "revoke", owner.name, "tablet")
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            mailbox.session.noop()
    assert each(system, (reaches, tablet), (sends, tablet)) == {False}
    assert each(system, (reaches, apps["all"]), (reaches, owner), (sends, apps["submission"])) == {True}


def test_an_account_from_before_keeps_its_password_until_it_gets_a_new_one(
    system: System, owner: Account, apps: dict[str, Account]
) -> None:
    """A new one does not touch those of the apps."""
    container = system.engine.account(owner.name)
    put_file(container, "/data/etc", "password", f"{BCRYPT}\n".encode(), 0o600)
    assert execute(container, "/usr/lib/mailpod/stack/prepare", "etc/password")[0] == 0
    old = dataclasses.replace(owner, password="a passphrase of old")
    assert each(system, (reaches, old), (sends, old)) == {True}
    system.cli.ok("account", "passwd", owner.name, "--password-stdin", stdin=f"{owner.password}\n")
    assert each(system, (reaches, old), (sends, old)) == {False}
    assert each(system, (reaches, owner), (reaches, apps["all"])) == {True}


def test_every_password_holds_on_the_other_stack(
    system: System, stack: str, owner: Account, apps: dict[str, Account]
) -> None:
    used = last_uses(system, owner)
    other = next(one for one in get_args(Stack) if one != stack)
    system.cli.ok("account", "set", owner.name, "--stack", other)
    assert last_uses(system, owner) == used
    assert each(system, (reaches, owner), (sends, owner), (reaches, apps["imap"]), (sends, apps["all"])) == {True}
    assert each(system, (reaches, apps["submission"]), (sends, apps["imap"])) == {False}
