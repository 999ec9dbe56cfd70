"""An account goes by a file to another system and back; by its backup to another machine when its own is gone."""

import signal
from pathlib import Path

import pytest
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import System
from tests.e2e.support.wait import until


# The other system is the one that runs in this process in any case.
@pytest.mark.stack("classic")
def test_from_a_swarm_to_one_engine_and_back(swarm: SwarmSystem, system: System, tmp_path: Path) -> None:
    faye = swarm.create("faye", "--node", "node3")
    word = swarm.post(faye.short_address)
    swarm.wait_for(faye, word)
    there, back = tmp_path / "there.tar", tmp_path / "back.tar"
    swarm.cli.ok("account", "move", "faye", "--to-file", str(there))
    assert there.stat().st_mode & 0o777 == 0o600
    assert swarm.cli.run("account", "show", "faye").code == 3
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(there.read_bytes()[:-5000])
    assert system.cli.run("account", "move", "faye", "--from-file", str(damaged)).code == 2
    system.cli.ok("account", "move", "faye", "--from-file", str(there))
    system.wait_for(faye, word)
    system.cli.ok("account", "move", "faye", "--to-file", str(back))
    made = swarm.cli.ok("account", "move", "faye", "--from-file", str(back), "--node", "node2", "--json").json()
    assert made["node"] == "node2"
    swarm.wait_for(faye, word)
    swarm.wait_for(faye, swarm.post(faye.short_address))
    for one in (swarm, system):
        one.cli.ok("account", "delete", "faye", "--purge", "--yes")


def test_accounts_whose_machine_is_gone_are_brought_up_elsewhere_from_a_backup_or_a_file(
    swarm: SwarmSystem, tmp_path: Path
) -> None:
    rolf = swarm.create("rolf", "--node", "node3")
    kept = swarm.post(rolf.short_address)
    swarm.wait_for(rolf, kept)
    swarm.cli.ok("account", "move", "rolf", "--to-file", str(tmp_path / "rolf"), "--keep")
    ruth = swarm.create("ruth", "--node", "node3")
    word = swarm.post(ruth.short_address)
    swarm.wait_for(ruth, word)
    swarm.cli.ok("backup", "to", str(tmp_path / "depot"))
    swarm.cli.ok("backup", "ruth")
    recover = ("account", "recover", "ruth", "--node", "node2")
    assert swarm.cli.run(*recover).code == 1
    node3 = swarm.cluster.nodes[2]
    node3.end(signal.SIGKILL)
    try:
        until(lambda: swarm.states()["node3"] == "down", "the Swarm to notice", 60)
        later = swarm.post(ruth.short_address)
        assert swarm.cli.ok(*recover, "--json").json()["kept"] == ["node3"]
        swarm.wait_for(ruth, word)
        swarm.wait_for(ruth, later, seconds=60)
        swarm.cli.ok("account", "recover", "rolf", "--node", "node1", "--from-file", str(tmp_path / "rolf"))
        new = swarm.post(rolf.short_address)
        with swarm.mailbox(rolf) as mailbox:
            mailbox.wait_for(new, seconds=60)
            assert mailbox.count(kept) == 1
            # No client takes a new message for one that came after the file was made.
            assert int(mailbox.session.uid("SEARCH", "ALL")[1][0].split()[-1]) > 1_000_000
    finally:
        node3.start()
    until(lambda: swarm.states()["node3"] == "ready", "the machine to be back", 60)
    until(lambda: [node for node, _ in swarm.containers(ruth)] == ["node2"], "one container", 60)
    swarm.apply()
    assert swarm.volumes_of(ruth) == ["node2", "node3"]
    assert swarm.shown(ruth)["kept"] == ["node3"]
    swarm.wait_for(ruth, swarm.post(ruth.short_address))
    swarm.cli.ok("account", "delete", "ruth", "--purge", "--yes")
    assert swarm.volumes_of(ruth) == []
    swarm.cli.ok("account", "delete", "rolf", "--purge", "--yes")
    (swarm.cli.state / "secrets" / "backup.toml").unlink()
