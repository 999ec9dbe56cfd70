"""A machine dies and comes back, or is cut off, or the manager is started again: nothing is lost, or comes twice."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from dns.exception import DNSException
from tests.e2e.support.mail import compose, token
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import Account
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until


@pytest.fixture(scope="module")
def team(swarm: SwarmSystem) -> Iterator[list[Account]]:
    """One account on each machine."""
    made = [swarm.create(name, "--node", node.hostname) for name, node in zip("xyz", swarm.cluster.nodes, strict=True)]
    yield made
    swarm.keep_only()


def element(swarm: SwarmSystem, account: Account) -> dict[str, Any]:
    """What status tells of an account."""
    return next(one for one in swarm.cli.ok("status", "--json").json()["accounts"] if one["name"] == account.name)


def wait_until_down(swarm: SwarmSystem, account: Account) -> None:
    """Wait until the manager has missed the machine's heartbeats."""
    until(lambda: element(swarm, account)["observed"] == "unreachable", "status to say that it is down", 60, every=1)


def wait_until_back(swarm: SwarmSystem, team: list[Account]) -> None:
    """Wait until every mailbox is opened."""
    for account in team:
        until(lambda account=account: swarm.reaches(account), f"{account.name} to be back", 90, every=0.5)  # type: ignore[misc]


def is_named(swarm: SwarmSystem, account: Account) -> bool:
    """Whether the name server is there, has read its zone, and knows the account."""
    with suppress(AssertionError, EOFError, DNSException):
        return bool(swarm.served(f"{account.name}.{swarm.domain}", "MX", tcp=True))
    return False


def test_a_machine_dies_and_comes_back(swarm: SwarmSystem, team: list[Account]) -> None:
    near, far, other = team
    node = swarm.node_of(far)
    kept = swarm.post(far.short_address)
    swarm.wait_for(far, kept)
    node.power_off()
    words = [swarm.post(far.short_address) for _ in range(3)]
    # The others notice nothing.
    for account in (near, other):
        swarm.wait_for(account, swarm.post(account.short_address))
    wait_until_down(swarm, far)
    found = element(swarm, far)
    assert (found["node"], found["waiting"]) == (node.hostname, len(words))
    assert found["since"]
    assert f"{far.name} is down since {found['since']}" in swarm.cli.ok("status").out
    swarm.apply()
    refused = swarm.cli.run("account", "passwd", far.name)
    assert refused.code == 1
    assert f"{node.hostname}, which is down" in refused.complaint[0]

    node.power_on()
    # Nobody does anything: main tries again in its own time (maximal_backoff_time), or is told.
    wait_until_back(swarm, team)
    arrived_once(swarm, [far], [kept, *words], seconds=200)


def test_a_machine_is_cut_off_and_back(swarm: SwarmSystem, team: list[Account]) -> None:
    """In the middle of traffic to it and to the others; it goes on meanwhile, and its accounts have mail to send."""
    far = team[2]
    node = swarm.node_of(far)
    traffic = Traffic(swarm, [account.short_address for account in team], messages=90, connections=2)
    word = token()
    with traffic.flowing():
        node.plug("down")
        container = swarm.container(far)
        message = compose(far.address, "erin@outside.test", word).as_string()
        container.exec_run(["sh", "-c", f"sendmail -f {far.address} erin@outside.test <<'X'\n{message}\nX"], user="box")
        wait_until_down(swarm, far)
        node.plug("up")
    # The Swarm has given up the one it had, and makes another in its place.

    def replaced() -> bool:
        # Not before the other is gone, which might be asked once more, and end then.
        there = [one.id for _, one in swarm.containers(far)]
        return len(there) == 1 and there != [container.id]

    until(replaced, "the next container alone", 60)
    wait_until_back(swarm, team)
    arrived_once(swarm, team, traffic.acknowledged, seconds=200)
    swarm.world.wait_for(word, seconds=90)
    assert len(swarm.world.received(word)) == 1


def test_the_managers_engine_dies_and_is_started_again(swarm: SwarmSystem, team: list[Account]) -> None:
    """Accounts on other machines go on; mail that main had taken is there afterwards, and so are the names."""
    far = team[1]
    node = swarm.cluster.nodes[0]
    before = swarm.container(far).id
    traffic = Traffic(swarm, [account.short_address for account in team], messages=60)
    with traffic.flowing():
        node.end(signal.SIGKILL)
        node.start()
    swarm.wait_until_up()
    wait_until_back(swarm, team)
    arrived_once(swarm, team, traffic.acknowledged, seconds=200)
    assert swarm.container(far).id == before
    until(lambda: is_named(swarm, far), "the name server to be back", 120, every=0.5)
