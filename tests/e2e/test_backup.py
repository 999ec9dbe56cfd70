"""Backups in a folder: read back in an account's own place, and as a whole system."""

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import Engine
from tests.e2e.support.mail import Mailbox, imap
from tests.e2e.support.names import resolving
from tests.e2e.support.system import Account, System
from tests.e2e.support.undelivered import LATE, queued, sent, transports
from tests.e2e.support.wait import until
from tests.e2e.support.zone import ask
from tests.ports import free_port_base


@pytest.fixture(scope="module")
def depot(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that backups of the system go to."""
    folder = tmp_path_factory.mktemp("depot") / "backup"
    system.cli.ok("backup", "to", str(folder), "--keep-daily", "3")
    yield folder
    (system.cli.state / "secrets" / "backup.toml").unlink()
    shutil.rmtree(system.cli.state / "backups", ignore_errors=True)


@contextmanager
def flipped(repository: Path) -> Iterator[None]:
    """Meanwhile the bits of one byte of a repository's largest file are turned, as by a disk that fails."""
    pack = max((path for path in repository.glob("data/*/*") if path.is_file()), key=lambda path: path.stat().st_size)
    whole = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(bytes([whole[0] ^ 0xFF]) + whole[1:])
    try:
        yield
    finally:
        pack.write_bytes(whole)


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
    volumes = set(system.engine.volumes())
    with flipped(data.parent):
        assert system.cli.run("account", "restore", account.name).code == 1
    assert set(system.engine.volumes()) == volumes
    assert system.shown(account) == before
    # As where the disk is not mounted, on which it is.
    depot.rename(depot.with_name("disk"))
    depot.mkdir()
    unmounted = system.cli.run("backup", account.name)
    assert (unmounted.code, "no backups of this system are in" in unmounted.complaint[0]) == (1, True), unmounted
    depot.rmdir()
    depot.with_name("disk").rename(depot)

    transports(system.engine.account(account.name), "mda smtp")
    unsent, undelivered = sent(system, account, system.first), system.post(account.address, sender=LATE)
    until(lambda: len(queued(system.engine.account(account.name))) == 2, "two that wait", 20)
    system.cli.ok("account", "restore", account.name)
    system.wait_for(system.first, unsent)
    system.wait_for(account, undelivered)
    with system.mailbox(account) as mailbox:
        assert (mailbox.count(old), mailbox.count(new), mailbox.count(undelivered)) == (1, 0, 1)
    [kept] = [
        path.read_text() for path in (system.cli.state / "deleted").iterdir() if "place-until" in path.read_text()
    ]
    name = kept.partition('name = "')[2].partition('"')[0]
    system.cli.ok("account", "undelete", name)
    there = Account(name, "", "", "", account.password)
    with system.mailbox(there) as mailbox:
        assert (mailbox.count(old), mailbox.count(new), mailbox.count(undelivered)) == (1, 1, 1)
    assert queued(system.engine.account(name)) == {account.short_address: "hold"}, "what goes on from the restored one"
    with system.mailbox(system.first) as mailbox:
        assert mailbox.count(unsent) == 1

    # In another place there is nothing yet; back in this one what there was counts.
    other = str(depot.parent / "other")
    system.cli.ok("backup", "to", other)
    assert system.cli.ok("status", "--json").json()["backup"]["problems"]
    assert system.cli.ok("backup", "to", str(depot), "--json").json()["former"] == [other]
    # A clone has a volume of its own. What was brought back is another account, whatever the label of its volume says.
    # And where nothing is left of its backups, a purge ends all the same.
    system.cli.ok("account", "clone", account.name, "twin")
    shutil.rmtree(data.parent)
    gone = system.cli.ok("account", "delete", account.name, "--purge", "--yes", "--json").json()
    assert (gone["clean"], gone["ids"]) == (True, [before["id"]])
    assert not (system.cli.state / "deleted" / f"{before['id']}.toml").exists()
    assert any(name in line for line in gone["not_destroyed"])
    assert any(f"of {other}, where backups went before" in line for line in gone["not_destroyed"])
    with system.mailbox(there) as mailbox:
        assert mailbox.count(new) == 1
    assert system.cli.ok("account", "delete", name, "--purge", "--yes", "--json").json()["clean"]
    assert not [one for one in system.engine.objects() if before["id"] in one]
    system.cli.ok("account", "delete", "twin", "--purge", "--yes")


@pytest.mark.once
def test_a_whole_system_comes_back_from_its_key_and_the_repository(system: System, depot: Path, tmp_path: Path) -> None:
    """In an empty state folder, under another instance: accounts, their mail, passwords, aliases, the zone's keys."""
    alice = system.first
    assert alice
    word = system.post(alice.address)
    system.wait_for(alice, word)
    system.keep_only("alice", "bob")
    system.cli.ok("alias", "add", "office", "alice")
    system.cli.ok("backup")
    system.cli.ok("backup", "alice")
    # Two days later one is due; of those of one day the last one stays, and the first of all (restic-forget(1)).
    record = system.cli.state / "backups" / f"{system.shown(alice)['id']}.toml"
    second = record.read_text()
    record.write_text(re.sub("(?m)^taken = .*$", f'taken = "{datetime.now(UTC) - timedelta(days=2)}"', second))
    system.cli.ok("tend")
    kept = [one["id"] for one in system.cli.ok("backup", "list", "alice", "--json").json()]
    assert (len(kept), [one for one in kept if one in second]) == (2, [])
    assert "checked = " in record.read_text()
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
        options = ("--port-base", str(base), "--ipv6-prefix", "none", "--dns", "built-in", "--resolver", "127.0.0.1")
        cli.ok("system", "restore", str(depot), "--key-file", str(key), *options, seconds=300)
        assert cli.run("system", "restore", str(depot), "--key-file", str(key)).code == 4
        with resolving(system.domain, "127.0.0.1"), imap(f"imap.{system.domain}", base + 993, system.tls) as session:
            session.login("alice", alice.password)
            assert Mailbox(session).count(word) == 1
        # What the parent zone vouches for, and what secondaries take for newer than their copy.
        served = partial(ask, "127.0.0.1", base + 53, system.domain)
        assert served("DNSKEY") == system.served(system.domain, "DNSKEY")
        [old], [new] = system.served(system.domain, "SOA"), served("SOA")
        assert int(new.split()[2]) > int(old.split()[2])
        assert "office@club.test" in [one["address"] for one in cli.ok("alias", "list", "--json").json()]
        cli.ok("down", "--purge", "--yes")
        assert not engine.objects()
    finally:
        engine.remove_everything()
        engine.close()
        system.cli.ok("alias", "delete", "office")
