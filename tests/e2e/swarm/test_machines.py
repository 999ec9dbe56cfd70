"""Many machines: the same commands, with accounts on all of them."""

import pytest
from tests.e2e.support.mail import compose, token
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import Account


@pytest.fixture(scope="module")
def people(swarm: SwarmSystem) -> list[Account]:
    """Twelve accounts, put where there is room; the first is of the other stack, on another machine."""
    first = swarm.create("member0", "--stack", "classic", "--node", "node3")
    return [first, *(swarm.create(f"member{number}") for number in range(1, 12))]


def test_accounts_are_spread_over_the_machines(swarm: SwarmSystem, people: list[Account]) -> None:
    machines = {one["name"]: one for one in swarm.cli.ok("node", "list", "--json").json()}
    assert set(machines) == {"node1", "node2", "node3"}
    assert [len(one["accounts"]) for one in machines.values()] == [4, 4, 4]
    for account in people:
        [(node, _)] = swarm.containers(account)
        assert node == swarm.node_of(account).hostname


def test_mail_goes_in_out_and_between_machines(swarm: SwarmSystem, people: list[Account]) -> None:
    here, there = (next(a for a in people if swarm.node_of(a).hostname == name) for name in ("node1", "node3"))
    for account in (here, there):
        swarm.wait_for(account, swarm.post(account.short_address))
    for sender, recipient in ((here, there), (there, here)):
        word = token()
        swarm.submit(sender, compose(sender.short_address, recipient.address, word), recipient.address)
        swarm.wait_for(recipient, word)
    word = token()
    swarm.submit(there, compose(there.short_address, "erin@outside.test", word), "erin@outside.test")
    assert swarm.world.wait_for(word)["Return-Path"] == f"<{there.short_address}>"


def test_a_frozen_account_on_another_machine_keeps_what_it_had_said_and_its_mail(
    swarm: SwarmSystem, people: list[Account]
) -> None:
    there = next(account for account in people if swarm.node_of(account).hostname == "node3")
    swarm.cli.ok("account", "freeze", there.name)
    [log] = (swarm.cli.state / "logs").iterdir()
    assert b"postfix/master" in log.read_bytes()
    assert swarm.containers(there) == []
    word = swarm.post(there.short_address)
    swarm.cli.ok("account", "thaw", there.name)
    swarm.wait_for(there, word)


def test_an_account_of_the_other_stack_goes_where_one_of_the_usual_does(
    swarm: SwarmSystem, people: list[Account]
) -> None:
    classic = people[0]
    with swarm.mailbox(classic) as mailbox:
        before = mailbox.words()
    assert before
    swarm.cli.ok("account", "move", classic.name, "--node", "node1")
    with swarm.mailbox(classic) as mailbox:
        assert mailbox.words() == before
    swarm.wait_for(classic, swarm.post(classic.short_address))


def test_a_message_is_traced_across_machines(swarm: SwarmSystem, people: list[Account]) -> None:
    there = next(account for account in people if swarm.node_of(account).hostname == "node2")
    word = swarm.post(there.short_address)
    swarm.wait_for(there, word)
    assert f"in mailbox of {there.name} (INBOX)" in swarm.cli.ok("trace", there.short_address).out
