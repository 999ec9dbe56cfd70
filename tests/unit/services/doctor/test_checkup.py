"""Damage of every kind, found and repaired; checks that fail or hang."""

import copy
import os
import threading
from datetime import timedelta

import pytest
from tests.fakes.world import Container

from mailpod.host import kernel, limits
from mailpod.model import layout
from mailpod.model.doctor.finding import Finding
from mailpod.model.doctor.limits import Kernel
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.spec import Network
from mailpod.services import accounts, freezing, images, installation
from mailpod.services.doctor import checkup, machine


@pytest.fixture
def ready(system, monkeypatch):
    """A system that is well, on a machine whose ports and kernel nobody looks at."""
    monkeypatch.setattr(machine, "ports", lambda context: [])
    monkeypatch.setattr(kernel, "read", Kernel)
    system.dns = "built-in"
    system.up("alice", "bob")
    return system


def checks():
    return checkup.checks(timedelta(hours=4), "")


def wrong(system):
    return {(one.where, one.check) for one in checkup.examine(system.process(), checks()) if one.wrong}


def fixed(system):
    done = checkup.fix(system.process(), checks())
    return {(one.finding.where, one.fixed) for one in done if one.finding.wrong}


def volume_of(system, name):
    return layout.account_volume("mailpod", system.store.account(name))


def test_nothing_is_wrong(ready):
    assert wrong(ready) == set()


def no_container(system):
    del system.world.containers["mailpod-bob"]
    return "mailpod-bob", "containers"


def stopped(system):
    system.world.containers["mailpod-bob"].state = "exited"
    return "mailpod-bob", "containers"


def main_gone(system):
    del system.world.containers["mailpod-main"]
    return "mailpod-main", "containers"


def other_settings(system):
    system.world.containers["mailpod-bob"].labels["mailpod.spec"] = "other"
    return "mailpod-bob", "containers"


def stray_container(system):
    stray = copy.deepcopy(system.world.containers["mailpod-bob"])
    stray.labels |= {"mailpod.id": "1", "mailpod.account": "stray"}
    system.world.containers["mailpod-stray"] = stray
    return "mailpod-stray", "containers"


def stray_network(system):
    system.world.networks["mailpod-net7"] = Network("mailpod-net7", ("172.31.0.0/21",), False, instance="mailpod")
    return "mailpod-net7", "networks"


def stray_helper(system):
    system.world.helpers.append(system.store.account("bob").id)
    return system.store.account("bob").id, "helpers"


def missing_image(system):
    del system.world.images[images.DNS.tag]
    system.world.images["mailpod/base:trixie"] = ""
    return images.DNS.tag, "images"


def other_table(system):
    files = system.world.volumes["mailpod-main"].files
    files["etc/tables/postfix/senders"] = files["etc/tables/postfix/aliases"]
    return "mailpod-main", "elements"


def other_file(system):
    files = system.world.volumes[volume_of(system, "alice")].files
    files["etc/relay/send_as"] = files["etc/quota"]
    return "mailpod-alice", "elements"


def wrong_owner(system):
    system.world.strangers.add(system.store.account("alice").id)
    return volume_of(system, "alice"), "elements"


def open_key(system):
    path = system.folder / "secrets" / "operator_key"
    path.chmod(0o644)
    return str(path), "rights"


def open_folder(system):
    path = system.folder / "accounts"
    path.chmod(0o777)
    return str(path), "rights"


def other_settings_for_compose(system):
    path = system.folder / "compose.env"
    path.write_text("MAILPOD_BIND=192.0.2.1\n")
    return str(path), "compose"


def override_of_nobody(system):
    path = system.folder / "compose.override.json"
    path.write_text("{}")
    return str(path), "compose"


def other_zone(system):
    system.world.zones["mailpod-dns"].popitem()
    return "mailpod-dns", "dns"


DAMAGE = [
    *(no_container, stopped, main_gone, other_settings, stray_container, stray_network, stray_helper, missing_image),
    *(other_table, other_file, wrong_owner, open_key, open_folder, other_settings_for_compose, override_of_nobody),
    other_zone,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_repaired(ready, damage):
    where = damage(ready)
    assert where in wrong(ready)
    assert (where[0], True) in fixed(ready)
    assert wrong(ready) == set()
    ready.check_converged()


def test_an_unknown_volume_is_told_and_stays(ready):
    stray = copy.deepcopy(ready.world.volumes[volume_of(ready, "bob")])
    stray.labels |= {"mailpod.id": "feed", "mailpod.account": "ghost"}
    ready.world.volumes["mailpod-ghost-feed"] = stray
    assert fixed(ready) == {("mailpod-ghost-feed", False)}
    assert "mailpod-ghost-feed" in ready.world.volumes


def test_an_account_whose_volume_is_gone_is_not_made_empty(ready):
    volume = volume_of(ready, "bob")
    del ready.world.containers["mailpod-bob"]
    del ready.world.volumes[volume]
    assert {(volume, False), ("mailpod-bob", False)} <= fixed(ready)
    assert volume not in ready.world.volumes


def test_a_frozen_account_is_not_amiss(ready):
    freezing.freeze(ready.process(), "bob")
    assert wrong(ready) == set()
    ready.world.containers["mailpod-bob"].state = "running"
    assert wrong(ready) == {("mailpod-bob", "containers")}


def test_a_system_that_is_down_is_asked_nothing(ready):
    installation.down(ready.process(), purge=False)
    assert wrong(ready) == set()
    labels = {"mailpod.instance": "mailpod", "mailpod.role": "main"}
    ready.world.containers["mailpod-main"] = Container("i", labels, "mailpod-main", "mailpod", state="running")
    assert wrong(ready) == {("mailpod-main", "containers")}


def test_an_engine_that_is_down_is_told_once_and_the_rest_is_looked_at(ready):
    where = open_key(ready)
    ready.world.reachable = False
    found = checkup.examine(ready.process(), checks())
    assert [one.what for one in found].count("no container engine answers") == 1
    assert where in {(one.where, one.check) for one in found}


def test_an_account_that_does_not_answer_keeps_nothing_from_being_known(ready):
    public = ready.world.volumes[volume_of(ready, "alice")].files
    public["etc/ssh/ssh_host_ed25519_key.pub"] = public["etc/quota"]
    other = other_table(ready)
    found = wrong(ready)
    assert other in found
    assert ("mailpod-alice", "elements") in found


def test_an_account_that_answers_nonsense_keeps_nothing_from_being_known(ready):
    context = ready.process()
    context.channel.queues["alice"] = b"nonsense\n"
    other = other_table(ready)
    found = {(one.where, one.check) for one in checkup.examine(context, checks())}
    assert found == {other, ("mailpod-alice", "elements")}


def test_full_disks_and_clocks_of_elements_are_told(ready):
    context = ready.process()
    context.channel.disk = "1000000 100000000000 1000000 2000000"
    found = [one for one in checkup.examine(context, checks()) if one.wrong]
    # The accounts' volumes have no limit of their own: it is one disk.
    assert [(one.where, one.severity) for one in found] == [("mailpod-main", "error")]


def test_clocks_and_accounts_of_other_machines(system, monkeypatch):
    monkeypatch.setattr(machine, "ports", lambda context: [])
    monkeypatch.setattr(kernel, "read", Kernel)
    system.up_on_swarm("alice")
    accounts.create(system.process(), "bob", "correct horse", node="node2")
    assert wrong(system) == set()
    context = system.process()
    context.channel.clock = 100
    told = {one.where: one.what for one in checkup.examine(context, checks()) if one.wrong}
    assert told.keys() == {"node1", "node2"}
    assert "s ahead of" in told["node2"]
    system.world.say("node2", "down")
    assert not any("volume" in one.what for one in checkup.examine(system.process(), checks()))


def test_mail_that_waits_for_long_is_told(ready):
    context = ready.process()
    context.channel.queue = (
        b'{"queue_name": "deferred", "arrival_time": 1, "recipients": [{"address": "x@y.z", "delay_reason": "no"}]}'
    )
    (found,) = [one for one in checkup.examine(context, checks()) if one.wrong]
    assert (found.where, found.repair) == ("main", "")


def test_records_of_a_time_to_come_are_told(ready):
    os.utime(ready.folder / "system.toml", (9e9, 9e9))
    assert wrong(ready) == {(str(ready.folder), "past")}


def test_limits_of_the_kernel_are_raised(ready, monkeypatch):
    lifted = []
    monkeypatch.setattr(kernel, "read", lambda: Kernel(inotify_instances=8192 if lifted else 128))
    monkeypatch.setattr(limits, "lift", lambda: lifted.append(True))
    assert {done for _, done in fixed(ready)} == {True}
    assert lifted


def test_a_check_that_fails_or_hangs_stops_no_other(ready):
    def refused(context):
        raise MailpodError("what was wrong", "do this")

    def broken(context):
        return 1 // 0

    def hanging(context):
        threading.Event().wait()

    def well(context):
        return [Finding("note", "well", "here", "nothing")]

    some = {"refused": refused, "broken": broken, "hanging": hanging, "well": well}
    found = {one.check: one for one in checkup.examine(ready.process(), some, seconds=0.2)}
    assert found.keys() == some.keys()
    assert (found["refused"].what, found["refused"].do) == ("what was wrong", "do this")
    assert "ZeroDivisionError" in found["broken"].what
    assert "did not end within" in found["hanging"].what
    assert not found["well"].wrong


def test_a_repair_that_fails_is_told(ready):
    gone = Finding("error", "others may read it", "/no/such/file", "look", "modes")
    done = checkup.fix(ready.process(), {"rights": lambda context: [gone]})
    assert next(one.finding.what for one in done if not one.fixed).startswith("a repair failed: ")
    assert not any(one.fixed for one in done)


def test_a_folder_that_is_lost_or_without_keys_is_to_be_rebuilt(ready):
    (ready.folder / "secrets" / "operator_key").unlink()
    (found,) = checkup.examine(ready.process(), checks())
    assert found.do == "mailpod rebuild"
    (ready.folder / "system.toml").unlink()
    (found,) = checkup.examine(ready.process(), checks())
    assert (found.where, found.do) == (str(ready.folder), "mailpod rebuild")


def test_nothing_is_there_at_all(system):
    with pytest.raises(NotFound):
        checkup.examine(system.process(), checks())
