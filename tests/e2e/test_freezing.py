"""Freezing: an account is cut off at once, nothing of it or for it is lost, and it goes on where it was."""

import imaplib
import smtplib
import subprocess
import time

import pytest
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.mail import compose, token
from tests.e2e.support.shell import Ssh
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until


@pytest.fixture(scope="module")
def ssh(system: System, tmp_path_factory: pytest.TempPathFactory) -> Ssh:
    return Ssh(system, tmp_path_factory.mktemp("suspect"))


@pytest.fixture(scope="module")
def suspect(system: System, ssh: Ssh) -> Account:
    return system.create("suspect", "--ssh-key", str(ssh.public))


def home(system: System, account: Account) -> str:
    """What lies in the account's home, with the time of every file."""
    volume = next(
        m["Name"] for m in facts(system.engine.account(account.name))["Mounts"] if m["Destination"] == "/data"
    )
    root = system.engine.client.volumes.get(volume).attrs["Mountpoint"]
    return subprocess.check_output(["find", f"{root}/home", "-printf", "%p %T@ %s\n"], text=True)


def runs(system: System, account: Account) -> bool:
    return bool(facts(system.engine.account(account.name))["State"]["Running"])


@pytest.mark.once
def test_an_account_is_cut_off_and_goes_on(system: System, suspect: Account, alice: Account, ssh: Ssh) -> None:
    system.wait_for(suspect, system.post(suspect.short_address))
    outside, own = "later@outside.test", suspect.address.partition("@")[2]
    system.submit(suspect, compose(suspect.short_address, outside, token()), outside)
    system.put_off(outside)
    before = system.shown(suspect)
    shell = ["ssh", *ssh.options(), suspect.fqdn, "echo in; sleep 300"]
    with (
        system.mailbox(suspect) as mailbox,
        system.submission(suspect) as submission,
        subprocess.Popen(shell, stdout=subprocess.PIPE) as session,
    ):
        assert session.stdout
        assert session.stdout.readline() == b"in\n"
        mailbox.session.select("INBOX", readonly=True)
        mailbox.session.send(b"x IDLE\r\n")
        assert mailbox.session.readline().startswith(b"+")
        start = time.monotonic()
        system.cli.ok("account", "freeze", suspect.name)
        assert session.wait(timeout=5) != 0
        mailbox.session.sock.settimeout(5)
        assert mailbox.session.readline() == b""
        with pytest.raises((OSError, smtplib.SMTPException)):
            submission.mail(suspect.short_address)
        assert time.monotonic() - start < 30

    with pytest.raises(imaplib.IMAP4.error), system.mailbox(suspect):
        pass
    assert ssh.run(suspect, "true").returncode != 0
    kept = home(system, suspect)
    waited = [system.post(address) for address in (suspect.short_address, suspect.address.replace("@", "+tag@"))]
    until(lambda: len(system.held(own)) == 2, "two messages on hold")
    assert system.held(outside), "what it had sent is still on its way"
    told = {one["name"]: one for one in system.cli.ok("status", "--json").json()["accounts"]}[suspect.name]
    assert (told["desired"], told["observed"], told["waiting"]) == ("frozen", "stopped", 2)
    assert told["frozen"] == system.shown(suspect)["frozen"]
    assert system.shown(suspect)["status"] == "frozen"

    assert system.cli.ok("apply", "--json").json() == []
    assert not runs(system, suspect)
    assert home(system, suspect) == kept
    system.wait_for(alice, system.post(alice.short_address))

    system.cli.ok("account", "thaw", suspect.name)
    assert system.shown(suspect) == before
    for word in waited:
        system.wait_for(suspect, word)
    ssh.ok(suspect, "true")
    assert "Come back later" in until(lambda: "".join(system.waiting(outside)), "another try", 40)
    system.main.exec_run(["postsuper", "-d", "ALL", "deferred"])


def test_what_it_took_just_before_lies_there_once_after_the_thaw(system: System, suspect: Account) -> None:
    """It is ended between its copy on disk and main's reading of "250": main hands its own in again, from hold."""

    def in_queue(script: str) -> str:
        code, said = execute(system.main, "sh", "-c", f"cd /data/spool/postfix && {script}", user="postfix")
        assert code == 0, said
        return said

    own = suspect.address.partition("@")[2]
    container = system.engine.account(suspect.name)
    container.pause()
    word = system.post(suspect.short_address)
    copy = until(lambda: in_queue("find active -type f -printf %f"), "a message under way")
    in_queue(f"cp -p active/{copy} /tmp")
    container.unpause()
    system.wait_for(suspect, word)

    system.cli.ok("account", "freeze", suspect.name)
    in_queue(f"mv /tmp/{copy} incoming")
    until(lambda: execute(system.main, "postkick", "public", "qmgr", "I")[0] == 0, "main's queue manager")
    other = system.post(suspect.short_address)
    until(lambda: len(system.held(own)) == 2, "two messages on hold")
    system.cli.ok("account", "thaw", suspect.name)
    container = system.engine.account(suspect.name)
    system.wait_for(suspect, other)
    until(lambda: not system.waiting(own), "nothing that waits in main")
    until(lambda: execute(container, "postqueue", "-j") == (0, ""), "nothing that waits in the account")
    with system.mailbox(suspect) as mailbox:
        assert (mailbox.count(word), mailbox.count(other)) == (1, 1)
