"""What may happen to a system at any moment. Each is given the running system, and leaves it to get over it."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from docker.models.containers import Container
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.own_engine import OwnEngine
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until
from tests.ledger.versions import Newer

_WHILE = 3.0
"""Seconds that something stays away."""
_FRESH = 0.5
"""How often what is restored has been backed up just before."""


@dataclass
class Scene:
    """Where it happens.

    Attributes:
        chance: of what is not said.
        newer: another version's command.
        earlier: what accounts were before they were restored, as accounts beside them, by the name of each.
    """

    system: System
    engine: OwnEngine
    accounts: list[Account]
    chance: random.Random
    newer: Newer
    earlier: dict[str, list[Account]] = field(default_factory=dict)

    @property
    def one(self) -> Account:
        """Some account."""
        return self.chance.choice(self.accounts)

    def container(self, account: Account) -> Container:
        """Its container as it is now."""
        return self.system.engine.account(account.name)


Trouble = Callable[[Scene], None]


def main_crashes(scene: Scene) -> None:
    """SIGKILL to its first process; the engine starts it again."""
    _crash(scene.system.main)


def an_account_crashes(scene: Scene) -> None:
    """The same for an account."""
    _crash(scene.container(scene.one))


def _crash(container: Container) -> None:
    before = facts(container)["State"]
    if not before["Pid"]:
        return
    os.kill(before["Pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = facts(container)["State"]
        return bool(now["Running"]) and now["Pid"] != before["Pid"]

    until(is_back, "a container that was started again", 60)


def main_is_killed(scene: Scene) -> None:
    """`docker kill`, and nobody but `apply` starts it again."""
    scene.system.main.kill("SIGKILL")
    scene.system.apply()


def main_is_made_anew(scene: Scene) -> None:
    """Its container removed with all that is not on its volume."""
    scene.system.main.remove(force=True)
    scene.system.apply()


def an_account_is_made_anew(scene: Scene) -> None:
    """The same for an account."""
    scene.container(scene.one).remove(force=True)
    scene.system.apply()


def an_account_is_stopped(scene: Scene) -> None:
    """In an orderly way, for some seconds."""
    scene.container(scene.one).stop(timeout=10)
    time.sleep(_WHILE)
    scene.system.apply()


def daemons_die(scene: Scene) -> None:
    """SIGKILL to three processes of main or of an account; their supervisor starts them again."""
    container = scene.chance.choice([scene.system.main, scene.container(scene.one)])
    # Not a supervisor: beside the daemon that it leaves, s6-svscan would have another one started again and again.
    script = "cd /proc; for one in [0-9]*; do echo $one $(cat $one/comm); done"
    listed = [line.split() for line in execute(container, "sh", "-c", script)[1].splitlines()]
    there = [
        one[0] for one in listed if len(one) == 2 and one[0].isdecimal() and one[0] != "1" and one[1] != "s6-supervise"
    ]
    execute(container, "kill", "-KILL", *scene.chance.sample(there, min(3, len(there))))


def the_engine_is_killed(scene: Scene) -> None:
    """And started again: all containers die with it, and come back by themselves."""
    scene.system.engine.close()
    scene.engine.end(signal.SIGKILL)
    scene.engine.start()
    scene.system.engine.connect()


def the_disk_is_full(scene: Scene) -> None:
    """Of everything: queues, mailboxes, the engine itself."""
    scene.engine.fill_disk()
    try:
        time.sleep(_WHILE)
    finally:
        scene.engine.free_disk()


def an_account_is_cut_off(scene: Scene) -> None:
    """Its cable is pulled in the middle of whatever it does."""
    with _unplugged(scene, scene.container(scene.one)):
        time.sleep(_WHILE)


def main_is_cut_off(scene: Scene) -> None:
    """From the accounts, from the outside and from its clients."""
    with _unplugged(scene, scene.system.main):
        time.sleep(_WHILE)


def main_crashes_while_it_is_cut_off(scene: Scene) -> None:
    """Nobody hears that it is gone: who waits for its answer waits on."""
    with _unplugged(scene, scene.system.main):
        time.sleep(1)
        _crash(scene.system.main)


def an_account_crashes_while_it_is_cut_off(scene: Scene) -> None:
    """The same for an account."""
    container = scene.container(scene.one)
    with _unplugged(scene, container):
        time.sleep(1)
        _crash(container)


@contextmanager
def _unplugged(scene: Scene, container: Container) -> Iterator[None]:
    """Meanwhile all cables of a container are pulled."""
    _, ends = execute(container, "sh", "-c", "cat /sys/class/net/eth*/iflink")
    links = json.loads(scene.engine.ip("-json", "link"))
    cables = [link["ifname"] for link in links if link["ifindex"] in {int(end) for end in ends.split()}]
    for cable in cables:
        scene.engine.ip("link", "set", cable, "down")
    try:
        yield
    finally:
        # A container that was started again has other cables.
        there = {link["ifname"] for link in json.loads(scene.engine.ip("-json", "link"))}
        for cable in there.intersection(cables):
            scene.engine.ip("link", "set", cable, "up")


def an_account_is_frozen(scene: Scene) -> None:
    """And goes on some seconds later."""
    name = scene.one.name
    scene.system.cli.ok("account", "freeze", name)
    time.sleep(_WHILE)
    scene.system.cli.ok("account", "thaw", name)


def an_account_is_changed(scene: Scene) -> None:
    """Another limit: its container is replaced."""
    memory = scene.chance.choice(["200M", "250M", "300M", "350M"])
    scene.system.cli.ok("account", "set", scene.one.name, "--memory", memory)


def an_account_changes_its_stack(scene: Scene) -> None:
    """To the other one, with all its mail."""
    account = scene.one
    other = {"classic": "dovecot", "dovecot": "classic"}[scene.system.shown(account)["stack"]]
    scene.system.cli.ok("account", "set", account.name, "--stack", other)


def an_account_is_moved(scene: Scene) -> None:
    """Into a file and out of it again, under another id, by which no alias leads to it: the last one has none."""
    account, file = scene.accounts[-1], scene.system.folder / "moved"
    scene.system.cli.ok("account", "move", account.name, "--to-file", str(file))

    def is_back() -> bool:
        return scene.system.cli.run("account", "move", account.name, "--from-file", str(file)).code == 0

    # Until then there is nothing that `apply` could bring back.
    until(is_back, f"{account.name} out of its file", 180)
    file.unlink()


def an_account_is_backed_up(scene: Scene) -> None:
    """While mail flows."""
    scene.system.cli.ok("backup", scene.one.name)


def an_account_is_restored(scene: Scene) -> None:
    """As of a backup just made or an older one; what it was until then comes back beside it."""
    cli, account = scene.system.cli, scene.one
    listed = cli.run("backup", "list", account.name, "--json")
    if scene.chance.random() < _FRESH or listed.code or not listed.json():
        cli.ok("backup", account.name)
    cli.ok("account", "restore", account.name)
    _bring_back_earlier(scene, account)


def _bring_back_earlier(scene: Scene, account: Account) -> None:
    """What it was until it was restored, with the messages that only that one has."""
    for one in scene.system.cli.ok("account", "deleted", "--json").json():
        if one["name"].startswith(f"{account.name}-until-"):
            scene.system.cli.ok("account", "undelete", one["name"])
            scene.earlier.setdefault(account.name, []).append(replace(account, name=one["name"]))


def an_account_is_upgraded(scene: Scene) -> None:
    """Checked and kept on the new image, or back on the old one if it was there already."""
    scene.newer.upgrade(scene.one.name)


def main_is_upgraded(scene: Scene) -> None:
    """The same for main."""
    scene.newer.upgrade("main")
    scene.system.world.attach(scene.system.main)


def an_upgrade_is_killed(scene: Scene) -> None:
    """In the middle; `apply` brings back what it tried."""
    scene.newer.kill(scene.chance.uniform(1, 6), scene.one.name)
    scene.system.apply()


def the_operator_is_killed(scene: Scene) -> None:
    """In the middle of a command; the next `apply` ends what it began."""
    words = ("account", "set", scene.one.name, "--memory", scene.chance.choice(["220M", "270M", "320M"]))
    scene.system.cli.kill_after(scene.chance.uniform(0.3, 3), *words)
    scene.system.apply()


TROUBLES: tuple[Trouble, ...] = (
    main_crashes,
    main_is_killed,
    main_is_made_anew,
    main_is_cut_off,
    main_crashes_while_it_is_cut_off,
    main_is_upgraded,
    an_account_crashes,
    an_account_is_made_anew,
    an_account_is_stopped,
    an_account_is_cut_off,
    an_account_crashes_while_it_is_cut_off,
    an_account_is_frozen,
    an_account_is_changed,
    an_account_changes_its_stack,
    an_account_is_moved,
    an_account_is_backed_up,
    an_account_is_restored,
    an_account_is_upgraded,
    an_upgrade_is_killed,
    daemons_die,
    the_disk_is_full,
    the_engine_is_killed,
    the_operator_is_killed,
)
"""Each comes once before any comes again."""


def recover(scene: Scene) -> None:
    """Wait until the system is whole again; `apply` may be asked once more, as an operator would."""

    def applied() -> bool:
        return scene.system.cli.run("apply").code == 0

    until(applied, "a system that is whole", 300)
    scene.system.world.attach(scene.system.main)
    scene.system.wait_until_up()
    for account in scene.accounts:
        # Something else may have kept it so.
        if scene.system.shown(account)["frozen"]:
            scene.system.cli.ok("account", "thaw", account.name)
        _bring_back_earlier(scene, account)
    for account in scene.accounts:
        status = scene.system.shown(account)["status"]
        until(partial(scene.system.reaches, account), f"{account.name}, which is {status}, to be back", 60)
