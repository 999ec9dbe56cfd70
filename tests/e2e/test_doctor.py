"""What goes wrong behind mailpod's back: found, repaired, and, if the state folder itself is lost, written anew."""

import shutil
import stat
from typing import Any

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.system import Account, System

from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE

pytestmark = pytest.mark.once

ASK_NOBODY = ("--time-server", "none")


def test_damage_of_many_kinds_is_found_and_repaired(undamaged: System, alice: Account, bob: Account) -> None:
    """All at once; what might be somebody's mail is told, and stays."""
    system, state, instance = undamaged, undamaged.folder / "state", undamaged.engine.instance
    word = system.post(alice.short_address)
    system.wait_for(alice, word)
    key, settings, ghost = state / "secrets" / "ca_key.pem", state / "compose.env", f"{instance}-ghost-00feedbeef00"
    labels = {LABEL_INSTANCE: instance, LABEL_ROLE: "account", LABEL_ACCOUNT: "ghost", LABEL_ID: "00feedbeef00"}
    client = system.engine.client
    # It has no volume of its own, which would stay.
    image = str(system.engine.account(alice.name).image.id)

    key.chmod(0o644)
    with settings.open("a") as file:
        file.write("MAILPOD_BIND=192.0.2.1\n")
    system.engine.account(bob.name).remove(force=True)
    client.containers.create(image, name=f"{instance}-ghost", labels=labels)
    client.networks.create(f"{instance}-net7", labels={LABEL_INSTANCE: instance})
    client.volumes.create(ghost, labels=labels)
    table = "/data/etc/tables/postfix/senders"
    assert execute(system.main, "sh", "-c", f"echo somebody@{system.domain} ghost >>{table}")[0] == 0
    own = next(name for name in system.engine.volumes() if name.startswith(f"{instance}-alice-"))
    chown = ["chown", "--recursive", "0:0", "/data/home/Maildir"]
    client.containers.run(image, entrypoint=chown, volumes={own: {"bind": "/data"}}, network_mode="none", remove=True)

    found = _wrong(system)
    damaged = {
        *(str(key), str(settings), ghost, own),
        *(f"{instance}-{name}" for name in ("bob", "ghost", "net7", "main")),
    }
    assert damaged <= {where for where, _ in found}
    repaired = system.cli.run("doctor", "--fix", "--json", *ASK_NOBODY)
    system.world.attach(system.main)
    told = {(one["where"], one["what"]): one["fixed"] for one in repaired.json()}
    assert not told[ghost, next(what for where, what in found if where == ghost)]
    assert repaired.code == 1
    client.volumes.get(ghost).remove()
    # What else is amiss is the machine's own.
    assert not {where for where, _ in _wrong(system)} & damaged
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    system.wait_for(alice, word)
    system.wait_for(bob, system.post(bob.short_address))


def _wrong(system: System) -> set[tuple[str, str]]:
    """Where something is wrong, and what."""
    said = system.cli.run("doctor", "--json", *ASK_NOBODY)
    found: list[dict[str, Any]] = [one for one in said.json() if one["severity"] != "note"]
    assert said.code == bool(found)
    return {(one["where"], one["what"]) for one in found}


def test_a_lost_state_folder_is_rebuilt_from_the_volumes(undamaged: System, alice: Account, bob: Account) -> None:
    """Mail, passwords, UIDs and addresses are as they were; what waited is delivered."""
    system = undamaged
    word = system.post(alice.short_address)
    system.wait_for(alice, word)
    before = _accounts(system)
    system.engine.account(bob.name).stop(timeout=5)
    waiting = system.post(bob.short_address)
    system.put_off(bob.name)
    with system.mailbox(alice) as mailbox:
        uids = mailbox.session.status("INBOX", "(UIDVALIDITY UIDNEXT)")
    shutil.rmtree(system.folder / "state")
    assert system.cli.run("doctor").code == 1
    try:
        done = system.cli.ok("rebuild", "--json").json()
    finally:
        # There is another authority, which clients have to be told of.
        system.authority.write_text(system.cli.ok("ca").out)
        system.world.give("/etc/ssl/certs", "club-ca.pem", system.authority.read_bytes())
        system.world.attach(system.main)
    assert {alice.name, bob.name} <= set(done["accounts"])
    system.wait_until_up()
    assert _accounts(system) == before
    with system.mailbox(alice) as mailbox:
        assert mailbox.session.status("INBOX", "(UIDVALIDITY UIDNEXT)") == uids
        mailbox.wait_for(word)
    system.wait_for(bob, waiting, seconds=40)
    system.wait_for(alice, system.post(alice.short_address))
    assert system.cli.ok("apply", "--json").json() == []


def _accounts(system: System) -> list[dict[str, Any]]:
    """What is the same for as long as an account lives."""
    passing = {"ipv4", "status"}
    listed = system.cli.ok("account", "list", "--json").json()
    return [{key: value for key, value in one.items() if key not in passing} for one in listed]
