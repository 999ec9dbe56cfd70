import pytest

from mailpod.model import layout
from mailpod.model.doctor import objects
from mailpod.model.plan import Create, Halt, Remove, Replace, Start
from mailpod.model.records import Account, System, now
from mailpod.model.spec import Network, Workload

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00:1:2:3::/64", networks=("172.20.0.0/21",))
ALICE = Account(id="0a1b2c3d4e5f", name="alice", created=now())
SPEC = layout.account_spec(SYSTEM, ALICE, "i")


def workload(role, state="running", health="", image="i", name=""):
    return Workload(name or f"mailpod-{role}", state, health, image, {"mailpod.role": role})


def volume(identity, role="account"):
    return {"mailpod.role": role, "mailpod.id": identity}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Create(SPEC), "missing"),
        (Replace(SPEC), "other settings"),
        (Start(SPEC.name), "stopped"),
        (Halt(SPEC.name), "frozen account runs"),
        (Remove(SPEC.name), "no account on record"),
    ],
)
def test_whatever_apply_would_do_to_a_container_is_found(step, words):
    found = objects.of_step(step)
    assert words in found.what
    assert (found.where, found.do, found.repair) == ("mailpod-alice", "mailpod apply", "apply")


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([], "missing"),
        ([workload("main", "stopped")], "stopped"),
        ([workload("main", image="old")], "image of another mailpod"),
    ],
)
def test_main_is_to_run_and_to_be_this_mailpods(there, words):
    (found,) = objects.of_services(SYSTEM, there, {"main": "i"})
    assert words in found.what
    assert (found.where, found.repair) == ("mailpod-main", "apply")
    assert not list(objects.of_services(SYSTEM, [workload("main")], {"main": "i"}))


def test_a_name_server_that_is_not_wanted_is_found():
    (found,) = objects.of_services(SYSTEM, [workload("main"), workload("dns")], {"main": "i"})
    assert found.where == "mailpod-dns"


def test_a_container_that_is_not_well_is_told_and_left_alone():
    there = [workload("main", health="unhealthy"), workload("account", "restarting"), workload("dns")]
    found = list(objects.unhealthy(there))
    assert [one.where for one in found] == ["mailpod-main", "mailpod-account"]
    assert not any(one.repair for one in found)


def test_a_volume_of_nobody_on_record_is_told_and_never_repaired():
    volumes = {"mailpod-ghost-1": volume("1"), "mailpod-main": volume("", "main"), "mailpod-dns": volume("", "dns")}
    (found,) = objects.of_volumes("mailpod", volumes, [], [], [])
    assert (found.severity, found.where, found.repair) == ("warning", "mailpod-ghost-1", "")
    assert "mailpod rebuild" in found.do
    assert "docker volume rm mailpod-ghost-1" in found.do


def test_a_volume_is_of_whoevers_record_names_it():
    """Its label is that of whom it was made for."""
    volumes = {"mailpod-alice-1": volume("1"), "mailpod-alice-1-2": volume("1")}
    (found,) = objects.of_volumes("mailpod", volumes, ["mailpod-alice-1-2"], [], [])
    assert found.where == "mailpod-alice-1"


def test_a_volume_that_is_gone_is_told_and_never_repaired():
    (live,) = objects.of_volumes("mailpod", {}, [], [ALICE], [])
    (kept,) = objects.of_volumes("mailpod", {}, [], [], [ALICE])
    assert (live.severity, kept.severity) == ("error", "warning")
    assert live.where == kept.where == "mailpod-alice-0a1b2c3d4e5f"
    assert not live.repair
    assert not kept.repair
    assert not list(objects.of_volumes("mailpod", {live.where: volume(ALICE.id)}, [live.where], [ALICE], []))


def test_networks_that_are_too_many_missing_or_otherwise():
    (right,) = layout.desired_networks(SYSTEM)
    ours = Network("mailpod-net7", ("172.21.0.0/21",), routed=False, instance="mailpod")
    theirs = Network("mailpod-net8", ("172.22.0.0/21",), routed=False, instance="mailpod-net8")
    (found,) = objects.of_networks(SYSTEM, [right, ours, theirs])
    assert (found.where, found.repair, found.do) == ("mailpod-net7", "network", "docker network rm mailpod-net7")
    (missing,) = objects.of_networks(SYSTEM, [])
    (other,) = objects.of_networks(SYSTEM, [Network("mailpod", ("172.23.0.0/21",), routed=False)])
    assert (missing.where, other.where) == ("mailpod", "mailpod")
    assert {missing.repair, other.repair} == {"apply"}


def test_a_helper_is_left_when_no_command_works_on_its_account():
    (found,) = objects.of_helpers([ALICE], {ALICE.id, "busy"}, {"busy"})
    assert "alice" in found.what
    assert found.repair == "apply"


def test_an_image_that_is_missing():
    (found,) = objects.of_images(["mailpod/main:1"])
    assert (found.where, found.repair) == ("mailpod/main:1", "apply")


def test_what_runs_while_the_system_is_down():
    (found,) = objects.of_rest([workload("main"), workload("account", "stopped")])
    assert (found.where, found.do) == ("mailpod-main", "mailpod down")
