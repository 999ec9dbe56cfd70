"""`account set --stack`: another IMAP server, the same mailbox."""

import imaplib
import re
from typing import Any

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import Mailbox
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once

OTHER = {"classic": "dovecot", "dovecot": "classic"}
FOLDERS = (["Work"], ["Work", "Deep"], ["&ANw-bung &- mehr"])
"""Paths of folders, as IMAP spells them (RFC 3501 section 5.1.3)."""


class Tree:
    """The folders of a mailbox by their path, whatever prefix and separator the server has."""

    def __init__(self, session: imaplib.IMAP4) -> None:
        self.session = session
        _, data = session.namespace()
        prefix, separator = re.findall(rb'"([^"]*)"', data[0])[:2]
        self.prefix, self.separator = prefix.decode(), separator.decode()

    def quoted(self, path: list[str]) -> str:
        """A folder as an argument."""
        return '"INBOX"' if path == ["INBOX"] else f'"{self.prefix}{self.separator.join(path)}"'

    def paths(self, lines: list[Any]) -> list[list[str]]:
        """What LIST or LSUB answered, without names that stand for no folder."""
        said = [line.decode() for line in lines if b"Noselect" not in line and b"NonExistent" not in line]
        names = [re.sub(r'^\([^)]*\) "." ', "", line).strip('"').removeprefix(self.prefix) for line in said]
        return sorted(name.split(self.separator) for name in names)


def contents(mailbox: Mailbox) -> dict[str, Any]:
    """All a client can know: folders, subscriptions, by folder UIDVALIDITY, and each message's UID, size and flags."""
    tree = Tree(mailbox.session)
    listed = tree.paths(mailbox.session.list()[1])
    seen: dict[str, Any] = {"subscribed": tree.paths(mailbox.session.lsub()[1])}
    for path in listed:
        there = int(mailbox.session.select(tree.quoted(path), readonly=True)[1][0] or 0)
        lines = mailbox.session.fetch("1:*", "(UID FLAGS RFC822.SIZE)")[1] if there else []
        messages = {re.search(rb"UID (\d+)", line)[1]: describe(line) for line in lines}  # type: ignore[arg-type, index]
        # A folder that nobody has opened has no UIDVALIDITY yet.
        seen["/".join(path)] = (messages, mailbox.session.response("UIDVALIDITY")[1] if messages else None)
    return seen


def describe(line: bytes) -> tuple[bytes, ...]:
    """A message's size and its flags; `\\Recent` is the session's and not the message's."""
    size, flags = re.search(rb"RFC822.SIZE (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
    assert size
    assert flags
    return (size[1], *sorted(set(flags[1].split()) - {b"\\Recent"}))


def fill(mailbox: Mailbox) -> None:
    """Folders, a subscription fewer, and messages with gaps between their UIDs, with flags and with keywords."""
    session, tree = mailbox.session, Tree(mailbox.session)
    for path in FOLDERS:
        session.create(tree.quoted(path))
        session.subscribe(tree.quoted(path))
    session.unsubscribe(tree.quoted(FOLDERS[1]))
    for path in (["INBOX"], *FOLDERS):
        for number in range(8):
            session.append(tree.quoted(path), "", "", f"Subject: {number}\r\n\r\n{'x' * number}\r\n".encode())
        session.select(tree.quoted(path))
        session.store("1:3", "+FLAGS", r"(\Seen)")
        session.store("2", "+FLAGS", r"(\Flagged \Answered)")
        session.store("3:4", "+FLAGS", "($label1 NonJunk)")
        session.store("5", "+FLAGS", r"(\Draft $Forwarded $label1 unusual)")
        session.store("6:7", "+FLAGS", r"(\Deleted)")
        session.expunge()


def change(mailbox: Mailbox) -> None:
    """What a client does to it later."""
    session = mailbox.session
    session.select("INBOX")
    session.store("1", "-FLAGS", r"(\Seen)")
    session.store("3", "-FLAGS", "(NonJunk)")
    session.store("4", "+FLAGS", "(another)")
    session.store("2", "+FLAGS", r"(\Deleted)")
    session.expunge()
    session.append("INBOX", r"(\Seen)", "", b"Subject: late\r\n\r\nlate\r\n")


@pytest.mark.parametrize("first", OTHER)
def test_nothing_changes_for_a_client_there_and_back(system: System, first: str) -> None:
    """Folders, subscriptions, messages, flags, keywords, UIDs and UIDVALIDITY; also what was done meanwhile."""
    account = system.create(f"from-{first}", "--stack", first)
    seen: dict[str, Any] = {}
    for stack, act in ((first, fill), (OTHER[first], change), (first, change)):
        system.cli.ok("account", "set", account.name, "--stack", stack)
        assert system.shown(account)["stack"] == stack
        with system.mailbox(account) as mailbox:
            assert not seen or contents(mailbox) == seen
            act(mailbox)
        with system.mailbox(account) as mailbox:
            seen = contents(mailbox)
    assert len(seen["INBOX"][0]) == 6  # eight, two and twice one gone, twice one come


def test_mail_that_comes_meanwhile_waits(system: System) -> None:
    """Messages flow while the stack is changed; each is there in the end, with what was there before."""
    account = system.create("flow", "--stack", "classic")
    first = system.post(account.address)
    system.wait_for(account, first)
    traffic = Traffic(system, [account.short_address])
    with traffic.flowing():
        system.cli.ok("account", "set", account.name, "--stack", "dovecot")
    system.retry_now()
    wanted = {first, *traffic.acknowledged}
    with system.mailbox(account) as mailbox:
        until(lambda: wanted <= set(mailbox.words()), "every message", 40, every=0.5)


@pytest.mark.parametrize("first", OTHER)
def test_a_change_that_was_killed_in_the_middle_is_done_again_or_given_up(system: System, first: str) -> None:
    """While the lists are written, a little later each time until they are: the old stack still has everything, and so
    has the new one."""
    account = system.create(f"cut-{first}", "--stack", first)
    with system.mailbox(account) as mailbox:
        fill(mailbox)
    with system.mailbox(account) as mailbox:
        seen = contents(mailbox)
    adopt = f"/usr/lib/mailpod/mailbox/adopt {OTHER[first]}"
    # From a thousandth of a second on.
    seconds = '"$((n / 10000)).$(printf %04d $((n % 10000)))"'
    script = f"n=10; until timeout -s KILL {seconds} {adopt}; do n=$((n + n / 8)); [ $n -lt 100000 ]; done"
    code, said = execute(system.engine.account(account.name), "sh", "-euc", script, user="box")
    assert code == 0, said
    assert said.count("Killed") >= 5
    assert unchanged(system, account, seen)
    system.cli.ok("account", "set", account.name, "--stack", OTHER[first])
    assert unchanged(system, account, seen)


def unchanged(system: System, account: Account, seen: dict[str, Any]) -> bool:
    """Whether a client finds what it knows."""
    with system.mailbox(account) as mailbox:
        return contents(mailbox) == seen
