"""A Swarm's own words turned into ours."""

import pytest

from mailpod.engine.members import machine
from mailpod.engine.told import counts, pinned, workload
from mailpod.model.spec import LABEL_IMAGE, Machine

MACHINES = {
    "node1": Machine("node1", "ready", "2026-01-01T00:00:00Z", "manager", "20.10.24", 1 << 30, here=True, id="n1"),
    "node2": Machine("node2", "down", "2026-01-02T00:00:00Z", "worker", "20.10.24", 1 << 30, id="n2"),
}


def node(state="ready", availability="active", **changes):
    return {
        "ID": "n1",
        "UpdatedAt": "2026-01-01T00:00:00Z",
        "Status": {"State": state},
        "Spec": {"Role": "worker", "Availability": availability},
        "Description": {
            "Hostname": "node1",
            "Engine": {"EngineVersion": "20.10.24"},
            "Resources": {"MemoryBytes": 1 << 30},
        },
    } | changes


def service(on="node1", replicas=1, **labels):
    return {
        "ID": "s1",
        "UpdatedAt": "2026-01-01T00:00:05Z",
        "Spec": {
            "Name": "mailpod-alice",
            "Labels": {LABEL_IMAGE: "image:1", "mailpod.id": "a1"} | labels,
            "Mode": {"Replicated": {"Replicas": replicas}},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "sha256:abc"},
                "Placement": {"Constraints": [f"node.hostname=={on}"]},
            },
        },
    }


def attachment(address, driver="overlay"):
    return {"Network": {"DriverState": {"Name": driver}}, "Addresses": [address]}


def task(state="running", desired="running", created="2026-01-01T00:00:06Z", of="s1", networks=None):
    return {
        "ServiceID": of,
        "CreatedAt": created,
        "DesiredState": desired,
        "Status": {"State": state},
        "NetworksAttachments": [attachment("10.0.1.7/24")] if networks is None else networks,
    }


@pytest.mark.parametrize(
    ("state", "availability", "told"),
    [
        ("ready", "active", "ready"),
        ("ready", "drain", "drained"),
        ("ready", "pause", "drained"),
        ("down", "active", "down"),
        ("down", "drain", "down"),
        ("disconnected", "active", "down"),
        ("unknown", "active", "down"),
    ],
)
def test_the_state_of_a_machine(state, availability, told):
    found = machine(node(state, availability), "n2")
    assert (found.state, found.here) == (told, False)


def test_a_machine():
    since = "2026-01-01T00:00:00Z"
    assert machine(node(), "n1") == Machine("node1", "ready", since, "worker", "20.10.24", 1 << 30, here=True, id="n1")


def test_a_service_that_runs():
    found = workload(service(), [task()], MACHINES)
    assert (found.name, found.status, found.health, found.node) == ("mailpod-alice", "running", "", "node1")
    assert (found.image, found.labels["mailpod.id"]) == ("image:1", "a1"), "by the name it was asked for"
    assert (found.ipv4, found.ipv6, found.since) == ("10.0.1.7", "", "")


def test_its_address_is_that_on_the_network_across_machines():
    networks = [attachment("198.51.100.9/28", "bridge"), attachment("10.0.1.8/24"), {"Network": {}, "Addresses": []}]
    assert workload(service(), [task(networks=networks)], MACHINES).ipv4 == "10.0.1.8"
    assert workload(service(), [{**task(), "NetworksAttachments": None}], MACHINES).ipv4 == ""


@pytest.mark.parametrize("state", ["new", "pending", "preparing", "starting", "failed", "rejected"])
def test_a_task_that_does_not_run_yet_or_any_more_is_restarting(state):
    found = workload(service(), [task(state)], MACHINES)
    assert (found.state, found.ipv4) == ("restarting", "")


def test_without_a_task_it_is_about_to_start():
    assert workload(service(), [], MACHINES).state == "restarting"


def test_only_its_own_newest_task_counts():
    tasks = [
        task("failed", created="2026-01-01T00:00:01Z"),
        task("running", created="2026-01-01T00:00:02Z"),
        task("running", desired="shutdown", created="2026-01-01T00:00:03Z"),
        task("failed", created="2026-01-01T00:00:04Z", of="s2"),
    ]
    assert workload(service(), tasks, MACHINES).state == "running"


def test_what_was_halted_is_stopped_wherever_it_is():
    assert workload(service(replicas=0), [task(desired="shutdown")], MACHINES).state == "stopped"
    assert workload(service("node2", replicas=0), [], MACHINES).state == "stopped"


def test_on_a_machine_that_is_down_it_is_unreachable_since_then():
    """Whatever the Swarm still believes of its task."""
    found = workload(service("node2"), [task()], MACHINES)
    assert (found.state, found.since, found.ipv4) == ("unreachable", "2026-01-02T00:00:00Z", "")
    gone = workload(service("node3"), [task()], MACHINES)
    assert (gone.state, gone.since, gone.node) == ("unreachable", "", "node3")


@pytest.mark.parametrize(
    ("placement", "where"),
    [
        ({"Constraints": ["node.hostname==node1"]}, "node1"),
        ({"Constraints": ["node.role == manager", "node.hostname == node2"]}, "node2"),
        ({"Constraints": None}, ""),
        ({}, ""),
    ],
)
def test_the_machine_that_a_service_is_kept_on(placement, where):
    assert pinned({"Spec": {"TaskTemplate": {"Placement": placement}}}) == where


@pytest.mark.parametrize(
    ("state", "created", "wanted"),
    [
        ("failed", "2026-01-01T00:00:04Z", False),
        ("failed", "2026-01-01T00:00:05Z", True),
        ("running", "2026-01-01T00:00:04Z", True),
    ],
)
def test_what_failed_before_the_last_change_says_nothing_of_it(state, created, wanted):
    assert counts(task(state, created=created), service()) is wanted
