"""An account goes from machine to machine with all that it has, whatever happens meanwhile."""

import imaplib
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import Account
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until


@pytest.fixture(scope="module")
def mona(swarm: SwarmSystem) -> Iterator[Account]:
    """An account on the second machine, with some messages."""
    account = swarm.create("mona", "--node", "node2")
    for _ in range(3):
        swarm.wait_for(account, swarm.post(account.short_address))
    yield account
    swarm.cli.ok("account", "delete", account.name, "--purge", "--yes")


def identity(swarm: SwarmSystem, account: Account) -> dict[str, object]:
    """What clients and machines know an account again by."""
    with swarm.mailbox(account) as mailbox:
        session = mailbox.session
        session.select("INBOX", readonly=True)
        validity = session.response("UIDVALIDITY")[1][0]
        uids = session.uid("SEARCH", "ALL")[1][0].split()[:3]
    code, key = execute(swarm.container(account), "cat", "/data/etc/ssh/ssh_host_ed25519_key.pub")
    assert code == 0
    return {"validity": validity, "uids": uids, "key": key}


def told(swarm: SwarmSystem, account: Account, script: str) -> str:
    """What a script says in the account's container."""
    code, said = execute(swarm.container(account), "sh", "-c", script)
    assert code == 0, said
    return said


def keep_in_queue(swarm: SwarmSystem, account: Account) -> str:
    """The word of a message to the outside that the account has taken and keeps on hold."""
    word = token()
    message = compose(account.address, "erin@outside.test", word).as_string()
    send = f"setpriv --reuid box --init-groups sendmail -f {account.address} erin@outside.test"
    told(swarm, account, f"pkill -STOP qmgr; {send} <<'X'\n{message}\nX")
    until(lambda: "incoming" in told(swarm, account, "postqueue -j"), "it to be in the queue")
    told(swarm, account, "postsuper -h ALL; pkill -CONT qmgr")
    return word


def whole_on(swarm: SwarmSystem, account: Account) -> str:
    """The one machine that an account is on, with its volume and its container."""
    name = swarm.node_of(account).hostname
    until(lambda: swarm.volumes_of(account) == [name], f"one volume, on {name}", 30)
    assert [node for node, _ in swarm.containers(account)] == [name]
    until(lambda: swarm.reaches(account), "a login", 30)
    return name


@dataclass
class Reader:
    """Somebody who looks into the mailbox over and over.

    Attributes:
        seen: the counts of messages.
        moments: when, in seconds.
    """

    seen: list[int] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def longest(self) -> float:
        """Seconds between two looks that succeeded."""
        return max(after - before for before, after in pairwise(self.moments))


@contextmanager
def reading(swarm: SwarmSystem, account: Account) -> Iterator[Reader]:
    """A reader, while this lasts."""
    reader = Reader()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            with suppress(imaplib.IMAP4.error, OSError), swarm.mailbox(account) as mailbox:
                reader.seen.append(int(mailbox.session.select("INBOX", readonly=True)[1][0]))
                reader.moments.append(time.monotonic())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield reader
    finally:
        ended.set()
        thread.join(60)


def test_it_is_moved_while_mail_comes_in_and_is_read(swarm: SwarmSystem, mona: Account) -> None:
    before = identity(swarm, mona)
    kept = keep_in_queue(swarm, mona)
    traffic = Traffic(swarm, [mona.short_address], messages=60)
    away: list[float] = []
    with reading(swarm, mona) as reader, traffic.flowing():
        for node in ("node3", "node1", "node2"):
            done = swarm.cli.ok("account", "move", mona.name, "--node", node, "--json")
            assert done.json()["node"] == node
            away.append(float(done.err.partition("it was away for ")[2].partition(" s")[0]))
    arrived_once(swarm, [mona], traffic.acknowledged)
    assert identity(swarm, mona) == before
    assert whole_on(swarm, mona) == "node2"
    assert reader.seen == sorted(reader.seen), "messages were seen and then not"
    assert not swarm.world.received(kept)
    told(swarm, mona, "postsuper -H ALL && postqueue -f")
    swarm.world.wait_for(kept)
    assert len(swarm.world.received(kept)) == 1
    # Whoever logs in meanwhile waits until it is there, and no longer.
    assert reader.longest() < max(away) + 3


@pytest.mark.parametrize("seconds", [0.9, 1.6, 2.2, 2.8, 3.4, 4.2, 5.5])
def test_it_is_whole_on_one_machine_after_a_kill(swarm: SwarmSystem, mona: Account, seconds: float) -> None:
    before = identity(swarm, mona)
    target = "node3" if swarm.node_of(mona).hostname == "node2" else "node2"
    swarm.cli.kill_after(seconds, "account", "move", mona.name, "--node", target)
    word = swarm.post(mona.short_address)
    swarm.apply()
    whole_on(swarm, mona)
    swarm.retry_now()
    arrived_once(swarm, [mona], [word])
    assert identity(swarm, mona) == before
    assert swarm.helpers() == []


def test_a_machine_is_drained_and_takes_accounts_again(swarm: SwarmSystem, mona: Account) -> None:
    node = swarm.node_of(mona).hostname
    others = [swarm.create(f"drained{number}", "--node", node) for number in range(2)]
    swarm.cli.ok("node", "drain", node)
    shown = {one["name"]: one for one in swarm.cli.ok("node", "list", "--json").json()}
    assert (shown[node]["state"], shown[node]["accounts"]) == ("drained", [])
    for account in (mona, *others):
        assert whole_on(swarm, account) != node
    assert swarm.cli.run("account", "move", mona.name, "--node", node).code == 1
    swarm.cli.ok("node", "undrain", node)
    swarm.cli.ok("account", "move", mona.name, "--node", node)
    assert whole_on(swarm, mona) == node
    for account in others:
        swarm.cli.ok("account", "delete", account.name, "--purge", "--yes")


def test_an_empty_machine_leaves_and_may_come_back(swarm: SwarmSystem) -> None:
    node = swarm.cluster.nodes[2]
    swarm.cli.ok("node", "drain", node.hostname)
    swarm.cli.ok("node", "remove", node.hostname)
    assert set(swarm.states()) == {"node1", "node2"}
    # Set up anew meanwhile: that it is the same machine, the operator says.
    node.set_up_anew(swarm.cluster.key.with_suffix(".pub").read_text())
    refused = swarm.cli.run("node", "add", f"root@{node.address}", "--ssh-key", str(swarm.cluster.key))
    assert (refused.code, len(refused.complaint)) == (1, 2)
    assert "has another SSH host key than it had" in refused.complaint[0]
    forget = refused.complaint[1].partition("anew: ")[2].partition(";")[0]
    subprocess.run(forget, shell=True, check=True, capture_output=True)
    swarm.add(node)
    account = swarm.create("back", "--node", node.hostname)
    swarm.wait_for(account, swarm.post(account.short_address))
    swarm.cli.ok("account", "delete", account.name, "--purge", "--yes")
