"""A system on one engine becomes a Swarm of one while mail flows, and takes another machine."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container
from tests.e2e.support.cli import kill_group
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.swarm import SwarmSystem, running_swarm
from tests.e2e.support.system import Account
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until

OTHER = {"docker": "swarm", "swarm": "docker"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmSystem]:
    """A system on the one engine of a machine, beside another machine."""
    with running_swarm(tmp_path_factory.mktemp("house"), count=2, kind="docker") as made:
        yield made


@pytest.fixture(scope="module")
def pair(house: SwarmSystem) -> list[Account]:
    """Two accounts, with some mail."""
    made = [house.create("anna"), house.create("ben")]
    for account in made:
        for _ in range(3):
            house.wait_for(account, house.post(account.short_address))
    return made


@dataclass(frozen=True)
class Inbox:
    """UIDVALIDITY, and the word of each message in the order of UIDs."""

    validity: list[object]
    words: list[str]


def inbox(house: SwarmSystem, account: Account) -> Inbox:
    with house.mailbox(account) as mailbox:
        words = mailbox.words()
        return Inbox(mailbox.session.response("UIDVALIDITY")[1], words)


def unchanged(house: SwarmSystem, before: dict[Account, Inbox]) -> None:
    """All that was in the inboxes is there, in the same order; messages have come since."""
    for account, then in before.items():
        now = inbox(house, account)
        assert Inbox(now.validity, now.words[: len(then.words)]) == then


def engine_of(house: SwarmSystem) -> str:
    """What runs it, as the desired state says."""
    return "swarm" if 'engine = "swarm"' in (house.cli.state / "system.toml").read_text() else "docker"


def kill_at(house: SwarmSystem, step: str, *arguments: str) -> None:
    """Start a command, and kill it as soon as it says that it begins with a step."""
    with house.cli.started(*arguments) as process:
        assert process.stderr
        assert any(step in line for line in process.stderr), f"it ended without {step}"
        kill_group(process)


def write(container: Container, account: Account) -> str:
    """A message to the outside that an account hands to its own mail server."""
    word = token()
    message = compose(account.address, "erin@outside.test", word).as_string()
    script = f"printf %s {shlex.quote(message)} | sendmail -f {account.address} erin@outside.test"
    assert execute(container, "sh", "-c", script, user="box") == (0, "")
    return word


def in_queue(container: Container) -> bool:
    return '"queue_name": "deferred"' in execute(container, "postqueue", "-j")[1]


@pytest.mark.parametrize(
    "step", ["is a Swarm of one", "leaving the old networks", "stopping main", "starting main", "create "]
)
def test_what_was_killed_in_the_middle_is_ended_by_apply(house: SwarmSystem, pair: list[Account], step: str) -> None:
    """On the way there and on the way back; before the one write that changes the engine, nothing has happened."""
    before = {account: inbox(house, account) for account in pair}
    engine = engine_of(house)
    traffic = Traffic(house, [account.short_address for account in pair], messages=6)
    with traffic.flowing_on():
        kill_at(house, step, "engine", "migrate", OTHER[engine])
        # After the first one the write comes at once, and the kill may come after it.
        assert step == "is a Swarm of one" or engine_of(house) == OTHER[engine]
        house.cli.ok("apply")
    house.wait_until_up()
    house.retry_now()
    arrived_once(house, pair, [*traffic.acknowledged, *(word for one in before.values() for word in one.words)], 200)
    unchanged(house, before)
    assert house.cli.ok("apply", "--json").json() == []
    names = {str(one.name) for one in house.engine.containers()}
    assert all((".1." in name) == (engine_of(house) == "swarm") for name in names), names
    assert len(names) == len({"main", "dns", *pair})


def test_a_running_system_becomes_a_swarm_and_loses_nothing(house: SwarmSystem, pair: list[Account]) -> None:
    """Mail from outside waits with its senders, what is in queues is kept, keys and passwords stay."""
    if engine_of(house) == "swarm":
        house.cli.ok("engine", "migrate", "docker")
        house.wait_until_up()
    anna = pair[0]
    before = {account: inbox(house, account) for account in pair}
    keys = [execute(house.container(account), "cat", "/data/etc/ssh/ssh_host_ed25519_key.pub") for account in pair]
    house.world.mail_server("stop")
    in_main = token()
    house.submit(anna, compose(anna.address, "erin@outside.test", in_main), "erin@outside.test")
    house.put_off("erin@outside.test")
    assert execute(house.main, "s6-svc", "-wD", "-d", "/run/service/postfix")[0] == 0
    in_account = write(house.container(anna), anna)
    until(lambda: in_queue(house.container(anna)), "the message in the account's queue", 40)
    assert execute(house.main, "s6-svc", "-wU", "-u", "/run/service/postfix")[0] == 0
    traffic = Traffic(house, [account.short_address for account in pair], messages=6)
    with traffic.flowing_on():
        house.cli.ok("engine", "migrate", "swarm")
    house.wait_until_up()
    house.world.mail_server("start")
    house.retry_now()
    execute(house.container(anna), "postqueue", "-f")
    for word in (in_main, in_account):
        house.world.wait_for(word, seconds=100)
        assert len(house.world.received(word)) == 1
    arrived_once(house, pair, [*traffic.acknowledged, *(word for one in before.values() for word in one.words)], 200)
    unchanged(house, before)
    assert keys == [
        execute(house.container(account), "cat", "/data/etc/ssh/ssh_host_ed25519_key.pub") for account in pair
    ]
    assert [house.node_of(account).hostname for account in pair] == ["node1", "node1"]
    again = house.cli.run("engine", "migrate", "swarm")
    assert (again.code, len(again.complaint)) == (4, 2)


def test_another_machine_joins_and_takes_an_account(house: SwarmSystem, pair: list[Account]) -> None:
    house.add(house.cluster.nodes[1])
    carol = house.create("carol", "--node", "node2")
    word = token()
    house.submit(pair[0], compose(pair[0].address, carol.address, word), carol.address)
    house.wait_for(carol, word)
    refused = house.cli.run("engine", "migrate", "docker")
    assert refused.code == 1
    assert "carol" in refused.complaint[0]
