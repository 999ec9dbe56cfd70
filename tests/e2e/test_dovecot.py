"""The stack `dovecot`: what it can do beyond what every account can, and that it is an account like any other."""

import contextlib
import dataclasses
import imaplib
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.shell import Ssh
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.wait import until

pytestmark = pytest.mark.stack("dovecot")

WANTED = {
    *("IDLE", "MOVE", "UIDPLUS", "SPECIAL-USE", "CONDSTORE", "QRESYNC", "NOTIFY", "LIST-STATUS", "PREVIEW"),
    *("NAMESPACE", "SORT", "ESEARCH", "BINARY", "LITERAL+", "UNSELECT", "ENABLE", "COMPRESS=DEFLATE", "QUOTA"),
}
"""Capabilities that clients look for (RFC 6851, 6154, 7162, 5465, 5819, 8970, 5267, 3516, 7888, 4978, 9208)."""


@pytest.fixture(scope="module")
def dora(system: System) -> Account:
    """An account of this stack."""
    return system.create("dora", "--stack", "dovecot")


def test_the_account_says_which_stack_it_has(system: System, dora: Account) -> None:
    assert system.shown(dora)["stack"] == "dovecot"


def test_mail_goes_in_and_out_and_between_stacks(system: System, dora: Account, alice: Account) -> None:
    """From outside to both addresses and to a tag, to outside, and from and to an account of the other stack."""
    for recipient in (dora.address, dora.short_address, dora.short_address.replace("@", "+tag@")):
        system.wait_for(dora, system.post(recipient))
    for sender, recipient in ((dora, alice), (alice, dora)):
        word = token()
        system.submit(sender, compose(sender.short_address, recipient.address, word), recipient.address)
        system.wait_for(recipient, word)
    word = token()
    system.submit(dora, compose(dora.short_address, "erin@outside.test", word), "erin@outside.test")
    assert system.world.wait_for(word)["Return-Path"] == f"<{dora.short_address}>"


def test_main_passes_on_what_the_accounts_server_can(system: System, dora: Account) -> None:
    with system.mailbox(dora) as mailbox:
        _, told = mailbox.session.capability()
        assert set(told[0].decode().split()) >= WANTED


def test_what_the_server_can_is_of_use_through_main(system: System, dora: Account) -> None:
    system.wait_for(dora, system.post(dora.address))
    with system.mailbox(dora) as mailbox:
        session = mailbox.session
        assert session.xatom("ENABLE", "QRESYNC")[0] == "OK"
        session.select("INBOX")
        for command in (
            ("LIST", '""', "*", "RETURN (STATUS (MESSAGES))"),
            ("FETCH", "1", "(MODSEQ PREVIEW)"),
            ("NOTIFY", "SET", "(personal (MessageNew MessageExpunge))"),
        ):
            assert session.xatom(*command)[0] == "OK", command


def test_a_session_is_compressed_through_main(system: System, dora: Account) -> None:
    """RFC 4978."""
    pack, unpack = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
    with system.mailbox(dora) as mailbox:
        session = mailbox.session
        assert session.xatom("COMPRESS", "DEFLATE")[0] == "OK"
        session.sock.sendall(pack.compress(b"z LOGOUT\r\n") + pack.flush(zlib.Z_SYNC_FLUSH))
        said = b""
        while b"z OK" not in said:
            said += unpack.decompress(session.sock.recv(4096))
        session.shutdown()


def test_words_in_messages_are_found_by_their_index(system: System, dora: Account) -> None:
    """At once, in any case, without accents, by their beginnings; an index that is gone or damaged is made anew."""
    container = system.engine.account(dora.name)
    index = "/data/home/Maildir/fts-flatcurve"

    def deliver() -> None:
        word = token()
        message = compose("someone@outside.test", dora.address, word, body="Les ÉLÈVES de l'école apprennent.\n")
        with system.mx() as session:
            session.send_message(message, from_addr="someone@outside.test", to_addrs=[dora.address])
        system.wait_for(dora, word)

    def found(word: str) -> int:
        with system.mailbox(dora) as mailbox:
            mailbox.session.select("INBOX", readonly=True)
            status, numbers = mailbox.session.search(None, "BODY", word)
            assert status == "OK"
            return len(numbers[0].split())

    def files() -> str:
        return execute(container, "find", index, "-type", "f", user="box")[1]

    deliver()
    assert [found(word) for word in ("eleves", "ecol", "elfes")] == [1, 1, 0]
    assert index in files()
    execute(container, "rm", "-rf", index, user="box")
    deliver()
    assert found("apprennent") == 2
    # Before a health check, which does the same, may have come between.
    before = files()
    execute(container, "sh", "-c", f"for file in {index}/*/*; do echo damage >$file; done", user="box")
    deliver()
    assert found("apprennent") == 3
    execute(container, "/usr/lib/mailpod/stack/upkeep")
    until(lambda: files() and not set(before.split()) & set(files().split()), "a new index")
    assert found("eleves") == 3


def test_special_folders_say_what_they_are_for(system: System, dora: Account) -> None:
    """RFC 6154; all are subscribed."""
    with system.mailbox(dora) as mailbox:
        folders = mailbox.folders()
        _, subscribed = mailbox.session.lsub()
    for folder in ("Drafts", "Sent", "Trash", "Junk"):
        assert f"\\{folder}" in folders[folder]
        assert any(folder.encode() in line for line in subscribed if isinstance(line, bytes))


def test_a_message_is_moved_in_one_command(system: System, dora: Account) -> None:
    word = system.post(dora.address)
    system.wait_for(dora, word)
    with system.mailbox(dora) as mailbox:
        number = mailbox.holding(word)[0]
        mailbox.session.select("INBOX")
        assert mailbox.session.xatom("MOVE", number, "Trash")[0] == "OK"
        assert (mailbox.count(word), mailbox.count(word, "Trash")) == (0, 1)


def test_as_many_clients_as_an_owner_has_are_served_at_once(system: System, dora: Account) -> None:
    """All come from main's address, for which Dovecot by itself allows ten."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            session = stack.enter_context(system.mailbox(dora)).session
            assert session.select("INBOX")[0] == "OK"


def test_who_guesses_passwords_does_not_slow_down_the_owner(system: System, dora: Account) -> None:
    """They come from the same address as the owner, who has logged in from there before."""
    assert system.reaches(dora)

    def guess(number: int) -> None:
        with pytest.raises(imaplib.IMAP4.error), system.mailbox(dataclasses.replace(dora, password=f"wrong{number}")):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(11)))
    start = time.monotonic()
    with system.mailbox(dora) as mailbox:
        assert mailbox.session.noop()[0] == "OK"
    assert time.monotonic() - start < 10  # Dovecot's penalty grows to fifteen
    system.forgive()


def test_a_new_password_is_the_only_one_at_once(system: System, dora: Account) -> None:
    """Although Dovecot has just looked at the old one."""
    assert system.reaches(dora)
    changed = dataclasses.replace(dora, password="another passphrase")
    system.cli.ok("account", "passwd", dora.name, "--password-stdin", stdin=f"{changed.password}\n")
    assert system.reaches(changed)
    assert not system.reaches(dora)
    system.cli.ok("account", "passwd", dora.name, "--password-stdin", stdin=f"{dora.password}\n")
    assert system.reaches(dora)


def test_a_killed_account_loses_nothing(system: System, dora: Account) -> None:
    """SIGKILL in the middle of traffic, twice: at the end every message can be read whole.

    A copy may come a second time, and Dovecot may break off a session and mend its index (ADR 16).
    """
    traffic = Traffic(system, [dora.short_address])
    with traffic.flowing():
        for _ in range(2):
            system.engine.account(dora.name).kill("SIGKILL")
            system.apply()
    system.retry_now()

    def all_there() -> bool:
        try:
            with system.mailbox(dora) as mailbox:
                mailbox.session.select("INBOX", readonly=True)
                return mailbox.session.fetch("1:*", "(BODY.PEEK[])")[0] == "OK" and (
                    set(traffic.acknowledged) <= set(mailbox.words())
                )
        except imaplib.IMAP4.abort:
            return False

    until(all_there, "every message that was acknowledged", 60, every=0.5)


class Queue:
    """The queue of an account's Postfix."""

    def __init__(self, system: System, account: Account) -> None:
        self._container = system.engine.account(account.name)
        self.flush()

    def shell(self, script: str, user: str = "root") -> str:
        """What a script in the queue's directory writes, which has to succeed."""
        code, output = execute(self._container, "sh", "-c", f"cd /data/spool/postfix; {script}", user=user)
        assert code == 0, output
        return output

    def flush(self) -> None:
        """Have all of it delivered."""
        until(lambda: not self.shell("postqueue -f; postqueue -j"), "an empty queue", 40, every=0.5)

    def stop(self, service: str) -> None:
        """Stop Postfix or Dovecot."""
        self.shell(f"s6-svc -wD -d /run/service/{service}")

    def start(self) -> None:
        """Start both."""
        self.shell("s6-svc -u /run/service/dovecot; s6-svc -u /run/service/postfix; /usr/lib/mailpod/health/banners 20")

    def deferred(self) -> int:
        """How many messages are put off."""
        return len(self.shell("find deferred -type f", user="postfix").split())


@pytest.fixture
def queue(system: System, dora: Account) -> Queue:
    """Her queue, empty."""
    return Queue(system, dora)


def test_what_was_put_off_while_dovecot_was_down_is_delivered_as_soon_as_it_is_back(
    system: System, dora: Account, queue: Queue
) -> None:
    """Nobody asks for it, and the next attempt by itself would be a minute away."""
    queue.stop("dovecot")
    word = system.post(dora.short_address)
    until(lambda: queue.deferred() == 1, "a message that is put off")
    queue.start()
    system.wait_for(dora, word)


def test_a_message_whose_delivery_was_not_noted_is_kept_once(system: System, dora: Account, queue: Queue) -> None:
    """The account is killed between the file in the mailbox and Postfix's note of it, and delivers again."""
    queue.stop("dovecot")
    word = system.post(dora.short_address)
    until(lambda: queue.deferred() == 1, "a message that is put off")
    queue.stop("postfix")
    queue.shell("rm -rf /tmp/kept && cp -a deferred /tmp/kept", user="postfix")
    queue.start()
    queue.flush()
    system.wait_for(dora, word)
    queue.stop("postfix")
    queue.shell("mv /tmp/kept/?/* active", user="postfix")
    queue.start()
    queue.flush()
    with system.mailbox(dora) as mailbox:
        assert mailbox.count(word) == 1


def test_of_two_copies_that_come_at_the_same_moment_one_waits_for_the_other(
    system: System, dora: Account, queue: Queue
) -> None:
    """As when main and the account are killed together: the account has the message, and main hands it in again."""
    word = system.post(dora.short_address)
    system.wait_for(dora, word)
    script = f"""
        file=$(grep -rl {word} /data/home/Maildir/new /data/home/Maildir/cur)
        cp $file /tmp/again
        ask() {{ /usr/lib/mailpod/mailbox/delivered {dora.address} < /tmp/again; echo $?; }}
        mv $file /tmp/taken-away
        ask
        {{ sleep 1; mv /tmp/taken-away $file; }} &
        ask
    """
    assert queue.shell(script, user="box").split() == ["1", "0"]


def test_its_owner_logs_in_over_ssh_and_has_a_filter(system: System, dora: Account, tmp_path: Path) -> None:
    """A script that is made active by hand files mail into a folder."""
    ssh = Ssh(system, tmp_path)
    system.cli.ok("account", "set", dora.name, "--ssh-key", str(ssh.public))
    script = 'require ["fileinto", "mailbox"];\nif header :contains "Subject" "invoice" { fileinto :create "Bills"; }\n'
    ssh.ok(dora, "mkdir -p sieve && cat > sieve/mine.sieve && ln -sf sieve/mine.sieve .dovecot.sieve", stdin=script)
    word = system.post(dora.address, "invoice")
    system.wait_for(dora, word, "Bills")
    other = system.post(dora.address)
    system.wait_for(dora, other)
