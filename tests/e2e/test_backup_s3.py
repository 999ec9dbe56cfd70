"""Backups over the wire, to an S3 service: taken while mail flows, read back as another account, folder or message."""

import imaplib
import json
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.support.cli import Result
from tests.e2e.support.engine import LABEL_INSTANCE, LABEL_ROLE, execute
from tests.e2e.support.mail import Mailbox
from tests.e2e.support.s3 import S3
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.undelivered import LATE, queued, sent, transports
from tests.e2e.support.wait import until

MANY = 200


@pytest.fixture(scope="module")
def service(system: System) -> Iterator[S3]:
    """The service that backups of the system go to."""
    made = S3(system.world)
    made.start()
    done = set_up(system, made, made.secret)
    assert done.code == 0, done
    yield made
    made.stop()
    (system.cli.state / "secrets" / "backup.toml").unlink()
    shutil.rmtree(system.cli.state / "backups", ignore_errors=True)


def set_up(system: System, service: S3, secret: str) -> Result:
    """Have backups go there."""
    return system.cli.run("backup", "to", service.repository, "--s3-keys", "-", stdin=f"{service.key}\n{secret}\n")


def processes() -> str:
    """Command lines and environments of all there are."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found += [(process / "cmdline").read_bytes(), (process / "environ").read_bytes()]
    return b"\n".join(found).replace(b"\0", b" ").decode(errors="replace")


def watched(system: System, *arguments: str) -> str:
    """Run a backup; what is told of processes and containers while the service is reached, and what it said itself."""

    def told() -> str:
        run = processes()
        if "rclone serve restic --stdio --append-only depot:club/mail/" not in run:
            return ""
        labels = [f"{LABEL_INSTANCE}={system.engine.instance}", f"{LABEL_ROLE}=helper"]
        helpers = system.engine.client.containers.list(all=True, ignore_removed=True, filters={"label": labels})
        return run + json.dumps([one.attrs for one in helpers]) if helpers else ""

    with system.cli.started(*arguments) as process:
        found = until(told, "a container that reaches the service", 60)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return found + out + err


def prefix(mailbox: Mailbox) -> str:
    """What names of folders begin with."""
    return "INBOX." if "INBOX.Sent" in mailbox.folders() else ""


@contextmanager
def flagging(system: System, account: Account) -> Iterator[None]:
    """Meanwhile a client sets and takes away the flags of all messages, which renames their files all the time."""
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            # Courier ends its sessions when it has stood still for a moment.
            with suppress(imaplib.IMAP4.error, OSError), system.mailbox(account) as mailbox:
                mailbox.session.select("INBOX")
                while not done.is_set():
                    for sign in "+-":
                        mailbox.session.store("1:*", f"{sign}FLAGS.SILENT", r"(\Flagged)")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(60)


def has(system: System, account: Account, words: list[str]) -> bool:
    """Whether all of these messages are in its inbox."""
    with suppress(imaplib.IMAP4.error), system.mailbox(account) as mailbox:
        return set(words) <= set(mailbox.words())
    return False


@pytest.mark.once
def test_a_service_that_refuses_the_keys_or_is_down(system: System, alice: Account, service: S3) -> None:
    """It is told of in a line, also by `status`; keys that are refused do not take the place of those that hold."""
    refused = set_up(system, service, "wrong")
    what, tip = refused.complaint
    assert (refused.code, "SignatureDoesNotMatch" in what, "these keys" in tip) == (1, True, True), refused
    plan = system.cli.state / "secrets" / "backup.toml"
    assert (service.secret in plan.read_text(), stat.S_IMODE(plan.stat().st_mode)) == (True, 0o600)

    service.stop()
    failed = system.cli.run("backup", alice.name)
    what, _tip = failed.complaint
    assert (failed.code, what.endswith("connection refused")) == (1, True), failed
    problems = system.cli.ok("status", "--json").json()["backup"]["problems"]
    assert any("has never been" in problem and "connection refused" in problem for problem in problems)
    service.start()

    # What was there is gone with it, and nothing is begun in its place unasked.
    what, tip = system.cli.run("backup", alice.name).complaint
    assert ("any more" in what, "to begin anew there: mailpod backup to s3:" in tip) == (True, True)
    assert set_up(system, service, service.secret).code == 0


def test_what_was_acknowledged_before_it_began_is_in_it(system: System, service: S3) -> None:
    """While mail comes in and flags change without a pause, none that was there is missing; a folder comes back too."""
    account = system.create("kept")
    with system.mailbox(account) as mailbox:
        box = mailbox.session
        work = prefix(mailbox) + "Work"
        box.create(work)
        for number in range(MANY):
            box.append("INBOX", "", "", f"Subject: old{number}\r\nMessage-ID: <old{number}@test>\r\n\r\nx\r\n".encode())
        box.append(work, "", "", b"Subject: report\r\nMessage-ID: <report@test>\r\n\r\nx\r\n")
    # What its filter has learned.
    container = system.engine.account(account.name)
    execute(container, "s6-setuidgid", "box", "sh", "-c", "mkdir -p /data/junk/now && echo word >/data/junk/now/good")
    traffic = Traffic(system, [account.address], messages=20)
    with flagging(system, account), traffic.flowing_on():
        before = list(traffic.acknowledged)
        # What main still has is not in an account's backup.
        until(partial(has, system, account, before), "what was acknowledged", 40, every=0.2)
        # One to the account, one from it, neither of which can go on.
        transports(container, "mda smtp")
        undelivered, unsent = system.post(account.address, sender=LATE), sent(system, account, system.first)
        until(lambda: {LATE, account.short_address} <= queued(container).keys(), "two that wait", 20)
        told = watched(system, "backup", account.name)
    transports(container, "")
    assert service.secret not in told + system.logs(), "what lets in there is shown to nobody"
    assert execute(container, "test", "-e", "/data/snapshot")[0] == 1, "what was laid out is gone"

    said = system.cli.ok("account", "restore", account.name, "--as", "again").err
    assert "1 messages that were to leave at the time of the backup are on hold in again" in said
    assert execute(system.engine.account("again"), "cat", "/data/junk/now/good", user="box")[1] == "word\n"
    again = Account("again", "box@again.club.test", "again@club.test", "again.club.test", account.password)
    with system.mailbox(again) as mailbox:
        wanted = {f"old{number}" for number in range(MANY)} | {*before, undelivered}
        until(lambda: wanted <= set(mailbox.words()), "every message that was there", 20, every=0.5)
        words = mailbox.words()
        assert len(words) == len(set(words)), "none twice"
        assert mailbox.words(prefix(mailbox) + "Work") == ["report"]

    assert system.first
    assert queued(system.engine.account("again")) == {account.short_address: "hold"}
    for owner, word in ((account, undelivered), (system.first, unsent)):
        system.wait_for(owner, word)
        with system.mailbox(owner) as mailbox:
            assert mailbox.count(word) == 1

    # A message that its owner has deleted, and a folder.
    with system.mailbox(account) as mailbox:
        mailbox.session.delete(prefix(mailbox) + "Work")
    found = system.cli.ok("account", "restore", account.name, "--folder", "Work", "--json").json()
    assert (found["folder"], found["messages"]) == ("Restored", 1)
    assert system.cli.ok("account", "restore", account.name, "--message-id", "<old7@test>", "--json").json()["messages"]
    with system.mailbox(account) as mailbox:
        restored = prefix(mailbox) + "Restored"
        assert sorted(mailbox.words(restored)) == ["old7", "report"]
        assert any(restored in line.decode() for line in mailbox.session.lsub()[1])
