"""Backups in a folder: read back in an account's own place, and as a whole system."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import Engine
from tests.e2e.support.mail import Mailbox, imap
from tests.e2e.support.names import resolving
from tests.e2e.support.system import Account, System
from tests.ports import free_port_base


@pytest.fixture(scope="module")
def depot(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that backups of the system go to."""
    folder = tmp_path_factory.mktemp("depot") / "backup"
    system.cli.ok("backup", "to", str(folder), "--keep-daily", "3")
    yield folder
    (system.cli.state / "secrets" / "backup.toml").unlink()
    shutil.rmtree(system.cli.state / "backups", ignore_errors=True)


@pytest.mark.once
def test_an_account_in_its_own_place_after_a_backup_that_was_killed(system: System, depot: Path) -> None:
    """What came since is kept as another account; a wrong time, key or a damaged repository changes nothing."""
    account = system.create("place")
    old = system.post(account.address)
    system.wait_for(account, old)
    system.cli.kill_after(3, "backup", account.name)
    system.cli.ok("backup", account.name)
    listed = system.cli.ok("backup", "list", account.name, "--json").json()
    assert {one["account"] for one in listed} == {"place"}
    new = system.post(account.address)
    system.wait_for(account, new)

    before = system.shown(account)
    assert system.cli.run("account", "restore", account.name, "--at", "2020-01-01").code == 3
    data = depot / before["id"] / "data"
    data.rename(data.with_name("hidden"))
    assert system.cli.run("account", "restore", account.name).code == 1
    data.with_name("hidden").rename(data)
    assert system.shown(account) == before

    system.cli.ok("account", "restore", account.name)
    with system.mailbox(account) as mailbox:
        assert (mailbox.count(old), mailbox.count(new)) == (1, 0)
    [kept] = [
        path.read_text() for path in (system.cli.state / "deleted").iterdir() if "place-until" in path.read_text()
    ]
    name = kept.partition('name = "')[2].partition('"')[0]
    system.cli.ok("account", "undelete", name)
    there = Account(name, "", "", "", account.password)
    with system.mailbox(there) as mailbox:
        assert (mailbox.count(old), mailbox.count(new)) == (1, 1)


@pytest.mark.once
def test_a_whole_system_comes_back_from_its_key_and_the_repository(system: System, depot: Path, tmp_path: Path) -> None:
    """In an empty state folder, under another instance: every account, its mail, password and alias."""
    alice = system.first
    assert alice
    word = system.post(alice.address)
    system.wait_for(alice, word)
    system.keep_only("alice", "bob")
    system.cli.ok("alias", "add", "office", "alice")
    system.cli.ok("backup")
    status = system.cli.ok("status", "--json").json()["backup"]
    assert (status["repository"], status["problems"]) == (str(depot), [])
    key = tmp_path / "key"
    key.write_text(system.cli.ok("backup", "key").out)

    cli = Cli(tmp_path / "state", f"mpt{secrets.token_hex(3)}")
    engine = Engine(cli.instance)
    base = free_port_base()
    try:
        wrong = tmp_path / "wrong"
        wrong.write_text("wrong\n")
        assert cli.run("system", "restore", str(depot), "--key-file", str(wrong)).code == 2
        assert not engine.objects()
        options = ("--port-base", str(base), "--ipv6-prefix", "none", "--dns", "elsewhere", "--resolver", "127.0.0.1")
        cli.ok("system", "restore", str(depot), "--key-file", str(key), *options, seconds=300)
        assert cli.run("system", "restore", str(depot), "--key-file", str(key)).code == 4
        with resolving(system.domain, "127.0.0.1"), imap(f"imap.{system.domain}", base + 993, system.tls) as session:
            session.login("alice", alice.password)
            assert Mailbox(session).count(word) == 1
        assert [one["address"] for one in cli.ok("alias", "list", "--json").json()] == ["office@club.test"]
        cli.ok("down", "--purge", "--yes")
        assert not engine.objects()
    finally:
        engine.remove_everything()
        engine.close()
        system.cli.ok("alias", "delete", "office")
