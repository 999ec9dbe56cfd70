"""Accounts: create, list, show, passwd, delete and undelete, by the command line and by the three scripts."""

import imaplib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e.support.cli import ROOT
from tests.e2e.support.engine import LABEL_ACCOUNT
from tests.e2e.support.mail import imap, rcpt_code
from tests.e2e.support.system import Account, System

CONTRACT = {"name", "address", "short_address", "fqdn", "ipv4", "ipv6", "status"}


def can_log_in(system: System, login: str, password: str) -> bool:
    with imap(f"imap.{system.domain}", system.port(993), system.tls) as session:
        try:
            session.login(login, password)
        except imaplib.IMAP4.error:
            return False
        return True


def rcpt(system: System, recipient: str) -> int:
    return rcpt_code("127.0.0.1", system.port(25), recipient)


def test_create_returns_one_document_and_an_account_that_works_at_once(system: System) -> None:
    """SMTP, IMAP and SSH of the account answer when create returns; the generated password is shown once."""
    created = system.cli.ok("account", "create", "Carol", "--json")
    made = created.json()
    assert made.keys() >= CONTRACT | {"password"}
    assert made["name"] == "carol"
    assert made["address"] == f"box@carol.{system.domain}"
    assert made["short_address"] == f"carol@{system.domain}"
    assert made["fqdn"] == f"carol.{system.domain}"
    assert made["status"] == "running"
    assert made["ipv4"]
    assert made["ipv6"]
    assert can_log_in(system, "carol", made["password"])
    word = system.post(made["short_address"])
    system.wait_for(Account("carol", made["address"], made["short_address"], made["fqdn"], made["password"]), word)
    state = [path.read_bytes() for path in system.cli.state.rglob("*") if path.is_file()]
    assert not any(made["password"].encode() in content for content in state), "the password is kept in the state"


@pytest.mark.once
def test_list_and_show_tell_the_same_and_no_password(system: System, alice: Account) -> None:
    listed = system.cli.ok("account", "list", "--json").json()
    assert listed == sorted(listed, key=lambda one: one["name"])
    shown = system.shown(alice)
    assert shown in listed
    assert shown.keys() >= CONTRACT
    assert "password" not in shown
    assert alice.short_address in system.cli.ok("account", "list").out
    assert alice.address in system.cli.ok("account", "show", alice.name).out


def test_passwd_takes_a_new_password_or_makes_one(system: System) -> None:
    """The new password holds for the next login and the old one no longer does."""
    account = system.create("dave")
    system.cli.ok("account", "passwd", "dave", "--password-stdin", stdin='with "quotes" and \\ too\n')
    assert can_log_in(system, "dave", 'with "quotes" and \\ too')
    made = system.cli.ok("account", "passwd", "dave", "--json").json()["password"]
    assert can_log_in(system, "dave", made)
    assert not can_log_in(system, "dave", account.password)


def test_delete_refuses_mail_from_then_on_and_undelete_brings_the_mail_back(system: System) -> None:
    account = system.create("erin")
    word = system.post(account.short_address)
    system.wait_for(account, word)
    system.cli.ok("account", "delete", "erin", "--yes")
    assert rcpt(system, account.short_address) == 550
    assert rcpt(system, account.address) == 550
    assert "erin" not in [one["name"] for one in system.cli.ok("account", "list", "--json").json()]
    assert not can_log_in(system, "erin", account.password)

    restored = system.cli.ok("account", "undelete", "erin", "--json").json()
    assert restored["address"] == account.address
    assert rcpt(system, account.short_address) == 250
    system.wait_for(account, word)


def test_a_new_account_never_sees_the_mail_of_the_old_one_of_that_name(system: System) -> None:
    account = system.create("frank")
    word = system.post(account.short_address)
    system.wait_for(account, word)
    system.cli.ok("account", "delete", "frank", "--yes")
    successor = system.create("frank")
    with system.mailbox(successor) as mailbox:
        assert mailbox.count(word) == 0
    assert not can_log_in(system, "frank", account.password)


def test_delete_with_purge_leaves_nothing(system: System) -> None:
    before = system.engine.objects()
    system.create("grace")
    assert system.engine.objects() > before
    system.cli.ok("account", "delete", "grace", "--purge", "--yes")
    assert system.engine.objects() == before
    assert system.cli.run("account", "undelete", "grace").code == 3
    assert not list(system.cli.state.rglob("*grace*"))


@pytest.mark.once
def test_the_three_scripts_are_the_three_commands(system: System) -> None:
    """createAccount.sh, listAccount.sh and deleteAccount.sh, from whatever folder they are called."""
    created = system.cli.ok("heidi", "--json", program="scripts/createAccount.sh").json()
    assert can_log_in(system, "heidi", created["password"])
    listed = system.cli.ok("--json", program="scripts/listAccount.sh").json()
    assert "heidi" in [one["name"] for one in listed]
    elsewhere = subprocess.run(
        [str(ROOT / "scripts/listAccount.sh"), "--json"],
        cwd="/",
        env=system.cli.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(elsewhere.stdout) == listed
    system.cli.ok("heidi", "--yes", program="scripts/deleteAccount.sh")
    assert system.cli.run("account", "show", "heidi").code == 3


@pytest.mark.once
def test_the_state_and_the_instance_may_be_given_as_options(system: System, alice: Account) -> None:
    options = ("--state", str(system.cli.state), "--instance", system.cli.instance)
    shown = system.cli.run(
        *options, "account", "show", alice.name, "--json", MAILPOD_STATE="/nonexistent", MAILPOD_INSTANCE="none"
    )
    assert shown.json()["name"] == alice.name


@pytest.mark.once
def test_ten_creates_started_at_once_all_succeed(system: System) -> None:
    names = [f"many{number}" for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(system.create, names))
    for account in made:
        assert rcpt(system, account.short_address) == 250
        assert can_log_in(system, account.name, account.password)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda name: system.cli.ok("account", "delete", name, "--purge", "--yes"), names))
    assert not set(names) & {one["name"] for one in system.cli.ok("account", "list", "--json").json()}


def test_an_account_that_asks_for_less_memory_gets_less(system: System) -> None:
    account = system.create("ivan", "--memory", "96m")
    assert system.engine.account("ivan").attrs["HostConfig"]["Memory"] == 96 * 1024 * 1024
    system.cli.ok("account", "set", "ivan", "--memory", "128m")
    assert system.engine.account("ivan").attrs["HostConfig"]["Memory"] == 128 * 1024 * 1024
    word = system.post(account.short_address)
    system.wait_for(account, word)


@pytest.mark.once
@pytest.mark.parametrize("fraction", [0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
def test_a_crash_in_the_middle_of_create_is_repaired_by_apply(system: System, fraction: float) -> None:
    """SIGKILL at any step of create; then `apply` gives an account that works, or none and no trace of one."""
    name = f"crash{int(fraction * 100)}"
    before = system.engine.objects()
    seconds = fraction * system.create_seconds()
    while not system.cli.kill_after(seconds, "account", "create", name, "--json"):
        # It was faster than any before.
        system.cli.ok("account", "delete", name, "--purge", "--yes")
        seconds *= 0.9
    system.apply()
    if name in [one["name"] for one in system.cli.ok("account", "list", "--json").json()]:
        password = system.cli.ok("account", "passwd", name, "--json").json()["password"]
        assert rcpt(system, f"{name}@{system.domain}") == 250
        assert can_log_in(system, name, password)
        assert system.engine.account(name).labels[LABEL_ACCOUNT] == name
        system.cli.ok("account", "delete", name, "--purge", "--yes")
    assert system.engine.objects() == before
    assert rcpt(system, f"{name}@{system.domain}") == 550
    assert system.cli.ok("apply", "--json").json() == [], "a second apply found something left to do"


@pytest.mark.once
def test_a_crash_in_the_middle_of_delete_is_repaired_by_apply(system: System) -> None:
    account = system.create("judy")
    system.cli.kill_after(0.5 * system.create_seconds(), "account", "delete", "judy", "--purge", "--yes")
    system.apply()
    if "judy" in [one["name"] for one in system.cli.ok("account", "list", "--json").json()]:
        assert can_log_in(system, "judy", account.password)
        system.cli.ok("account", "delete", "judy", "--purge", "--yes")
    assert rcpt(system, account.short_address) == 550
    assert not [name for name in system.engine.objects() if "judy" in name]
