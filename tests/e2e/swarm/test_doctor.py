"""What goes wrong behind mailpod's back on any machine of a Swarm: found, and repaired."""

from collections.abc import Iterator

import pytest
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import Account

from mailpod.model.spec import LABEL_ID, LABEL_INSTANCE, LABEL_ROLE


@pytest.fixture(scope="module")
def patients(swarm: SwarmSystem) -> Iterator[tuple[Account, Account]]:
    """Two accounts on the second machine."""
    yield swarm.create("patient", "--node", "node2"), swarm.create("missing", "--node", "node2")
    swarm.keep_only()


def test_damage_on_another_machine_is_found_and_repaired(swarm: SwarmSystem, patients: tuple[Account, Account]) -> None:
    """One's mail has another owner, the other's service is gone; what might be somebody's mail is told, and stays."""
    words = {account: swarm.post(account.short_address) for account in patients}
    for account, word in words.items():
        swarm.wait_for(account, word)
    patient, missing = patients
    instance, there = swarm.engine.instance, swarm.on("node2")
    [own] = there.volumes.list(filters={"label": f"{LABEL_ID}={swarm.shown(patient)['id']}"})
    chown = ["chown", "--recursive", "0:0", "/data/home/Maildir"]
    image = str(swarm.container(patient).image.id)
    there.containers.run(
        image, entrypoint=chown, volumes={own.name: {"bind": "/data"}}, network_mode="none", remove=True
    )
    swarm.engine.client.services.get(f"{instance}-{missing.name}").remove()
    ghost = f"{instance}-ghost-00feedbeef00"
    labels = {LABEL_INSTANCE: instance, LABEL_ROLE: "account", LABEL_ID: "00feedbeef00"}
    stray = swarm.on("node3").volumes.create(ghost, labels=labels)

    damaged = {own.name, ghost, f"{instance}-{missing.name}"}
    assert damaged <= wrong(swarm)
    swarm.cli.run("doctor", "--fix", "--time-server", "none")
    assert wrong(swarm) & damaged == {ghost}
    stray.remove()
    assert ghost not in wrong(swarm)
    for account, word in words.items():
        swarm.wait_for(account, word)
        swarm.wait_for(account, swarm.post(account.short_address))


def wrong(swarm: SwarmSystem) -> set[str]:
    """Where something is wrong."""
    found = swarm.cli.run("doctor", "--json", "--time-server", "none").json()
    return {one["where"] for one in found if one["severity"] != "note"}
