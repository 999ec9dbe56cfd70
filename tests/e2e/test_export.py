"""An account leaves as a file, comes from a file and from another server, is there twice, and is gone for good."""

import mailbox
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.support.mail import compose, token
from tests.e2e.support.old_server import OldServer
from tests.e2e.support.system import Account, System

DATE = '"01-Feb-2020 03:04:05 +0000"'
MANY = 60


def listed(system: System, account: Account) -> dict[str, list[tuple[str, ...]]]:
    """By folder, without the prefix that one stack has: of each message its subject, date and flags."""
    found: dict[str, list[tuple[str, ...]]] = {}
    with system.mailbox(account) as box:
        session = box.session
        for line in session.list()[1]:
            assert isinstance(line, bytes)
            name = line.decode().rpartition(' "')[2].strip('"').rpartition(" ")[2]
            count = session.select(f'"{name}"', readonly=True)[1][0]
            if count in {None, b"0"}:
                continue
            _, parts = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            messages = [
                (part[1].decode().strip(), *described(part[0].decode())) for part in parts if isinstance(part, tuple)
            ]
            found[name.removeprefix("INBOX.")] = sorted(messages)
    return found


def described(answer: str) -> tuple[str, ...]:
    """Date and flags in the answer to a FETCH."""
    date = answer.partition('INTERNALDATE "')[2].partition('"')[0]
    flags = sorted(set(answer.partition("FLAGS (")[2].partition(")")[0].split()) - {"\\Recent"})
    return (date, *flags)


@pytest.fixture(scope="module")
def leaver(system: System) -> Account:
    """An account with mail in two folders, with flags and keywords, and a filter."""
    account = system.create("leaver")
    with system.mailbox(account) as box:
        session = box.session
        for number in range(MANY):
            message = compose("a@outside.test", account.short_address, token(), subject=f"message {number}")
            flags = ("", "(\\Seen)", "(\\Flagged \\Answered)", "(paid)")[number % 4]
            assert session.append("INBOX", flags, DATE, bytes(message))[0] == "OK"
        folder = ("INBOX." if system.stack == "classic" else "") + "Verträge".encode("utf-7").decode().replace("+", "&")
        assert session.create(folder)[0] == "OK"
        session.subscribe(folder)
        session.select("INBOX")
        assert session.copy("1:3", folder)[0] == "OK"
    return account


@contextmanager
def busy(system: System, account: Account) -> Iterator[list[int]]:
    """Meanwhile its owner marks and moves messages, all the time."""
    stop, rounds = threading.Event(), [0]

    def work() -> None:
        with system.mailbox(account) as box:
            session = box.session
            folder = ("INBOX." if system.stack == "classic" else "") + "Trash"
            while not stop.is_set():
                rounds[0] += 1
                session.select("INBOX")
                session.store("1:9", "+FLAGS" if rounds[0] % 2 else "-FLAGS", "(\\Draft)")
                session.copy("1", folder)
                session.store("1", "+FLAGS", "(\\Deleted)")
                session.expunge()
                session.select(folder)
                session.copy("1", "INBOX")
                session.store("1", "+FLAGS", "(\\Deleted)")
                session.expunge()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield rounds
    finally:
        stop.set()
        thread.join()


def unpacked(path: Path, folder: Path) -> Path:
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=folder, check=True)
    return folder


def test_an_account_in_use_leaves_with_every_message_once(system: System, leaver: Account, tmp_path: Path) -> None:
    """It is moved about meanwhile. What reads the file knows nothing of mailpod."""
    with busy(system, leaver):
        for number in range(2):
            system.cli.ok("account", "export", leaver.name, str(tmp_path / f"{number}.tar.gz"))
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        folder = unpacked(tmp_path / f"{number}.tar.gz", tmp_path / str(number))
        box = mailbox.Maildir(folder / "Maildir", create=False)
        contracts = box.get_folder("Verträge")
        subjects = [m["Subject"].rpartition(" ")[0] for one in (box, box.get_folder("Trash")) for m in one]
        # A copy and what it was copied from are both there, for a moment, in the mailbox itself.
        assert sorted(set(subjects)) == sorted(f"message {n}" for n in range(MANY))
        assert len(subjects) <= MANY + 1
        assert len(contracts) == 3
        assert any("R" in m.get_flags() for m in box)
    content = "".join(path.read_text(errors="replace") for path in (tmp_path / "0").glob("*.*"))
    assert "$y$" not in content
    assert "argon2" not in content


def test_it_comes_back_from_the_file_and_is_had_twice(system: System, leaver: Account, tmp_path: Path) -> None:
    path = tmp_path / "leaver.tar"
    system.cli.ok("account", "export", leaver.name, str(path))
    half = tmp_path / "half.tar"
    half.write_bytes(path.read_bytes()[:30000])
    refused = system.cli.run("account", "import", str(half), "--as", "returned")
    assert (refused.code, "not whole" in refused.err) == (2, True)
    assert system.cli.run("account", "import", str(path)).code == 4
    before = listed(system, leaver)
    made = system.cli.ok("account", "import", str(path), "--as", "returned", "--json").json()
    assert listed(system, _account(made)) == before

    twice = _account(system.cli.ok("account", "clone", "leaver", "second", "--expires", "7d", "--json").json())
    assert listed(system, twice) == before
    assert "second" in system.cli.ok("status").out
    record = system.cli.state / "accounts" / "second.toml"
    lines = [line for line in record.read_text().splitlines() if not line.startswith("expires")]
    record.write_text("\n".join([*lines, 'expires = "2026-01-01T00:00:00Z"', ""]))
    system.cli.ok("tend")
    assert not system.reaches(twice)
    [kept] = [one for one in system.cli.ok("account", "deleted", "--json").json() if one["name"] == "second"]
    gone = system.cli.ok("account", "delete", "second", "--purge", "--yes", "--json").json()
    assert gone["clean"]
    assert gone["ids"] == [kept["id"]]
    assert not [name for name in system.engine.objects() if kept["id"] in name]


def _account(made: dict[str, Any]) -> Account:
    return Account(made["name"], made["address"], made["short_address"], made["fqdn"], made["password"])


def test_mail_comes_from_another_server_once_whatever_breaks(
    system: System, leaver: Account, alice: Account, tmp_path: Path
) -> None:
    """The connection breaks in the middle; a second run goes on, a third finds nothing to do."""
    newcomer = system.create("newcomer")
    with OldServer(tmp_path, (system.address, system.port(993))).running() as old:
        command = ("account", "import", "newcomer", "--from", old.url(leaver.name), "--password-stdin")
        trusted = (*command, "--ca", str(old.authority))
        assert "certificate" in system.cli.run(*command, stdin=leaver.password).err
        assert system.cli.run(*trusted, stdin="wrong password").code == 1
        # The session is compressed.
        old.cut_after = 5_000
        assert system.cli.run(*trusted, stdin=leaver.password).code == 1
        some = listed(system, newcomer)
        old.cut_after = 0
        system.cli.ok(*trusted, "--except", "Verträge", stdin=leaver.password)
        assert not [name for name in listed(system, newcomer) if "Vertr" in name]
        system.cli.ok(*trusted, stdin=leaver.password)
        expected = {name: [_standard(m) for m in found] for name, found in listed(system, leaver).items()}
        assert {name: [_standard(m) for m in found] for name, found in listed(system, newcomer).items()} == expected
        assert len(some.get("INBOX", [])) < MANY
        assert system.cli.ok(*trusted, "--json", stdin=leaver.password).json()["messages"] == 0


def _standard(message: tuple[str, ...]) -> tuple[str, ...]:
    """Without keywords, which mbsync leaves behind."""
    return tuple(word for word in message if word != "paid")
