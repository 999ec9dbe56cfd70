import dataclasses

import pytest

from mailpod.model.spec import LABEL_SPEC, EngineInfo, Workload, WorkloadSpec

SPEC = WorkloadSpec(
    name="mailpod-alice",
    image="image:1",
    hostname="alice.example.org",
    network="mailpod",
    aliases=("alice.example.org", "alice.mailpod.internal"),
    volume="mailpod-alice-1",
    mount="/data",
    memory=1,
    pids=2,
    cpus=1,
    cpu_weight=100,
    capabilities=("CHOWN",),
    tmpfs={"/run": "exec", "/tmp": ""},
    environment={"A": "1", "B": "2"},
    labels={"x": "y"},
)

CHANGES = {
    "name": "mailpod-bob",
    "image": "image:2",
    "hostname": "bob",
    "network": "other",
    "aliases": (),
    "volume": "v",
    "mount": "/x",
    "memory": 3,
    "pids": 3,
    "cpus": 2,
    "cpu_weight": 50,
    "capabilities": (),
    "tmpfs": {},
    "environment": {"A": "1", "B": "3"},
    "labels": {},
    "dns": "192.0.2.1",
    "ipv6": "2001:db8::7",
    "open_ports": (22,),
    "node": "node2",
    "local_network": "other",
}


def test_every_field_is_tried():
    assert set(CHANGES) == {field.name for field in dataclasses.fields(WorkloadSpec)} - {"disk"}


@pytest.mark.parametrize("field", CHANGES)
def test_the_digest_changes_with_every_field(field):
    assert dataclasses.replace(SPEC, **{field: CHANGES[field]}).digest() != SPEC.digest()


def test_a_volume_that_cannot_follow_makes_no_new_container():
    assert dataclasses.replace(SPEC, disk=7).digest() == SPEC.digest()


def test_the_digest_does_not_depend_on_order_or_identity():
    same = dataclasses.replace(SPEC, environment={"B": "2", "A": "1"}, tmpfs={"/tmp": "", "/run": "exec"})
    assert same.digest() == SPEC.digest()
    assert len(SPEC.digest()) == 16


@pytest.mark.parametrize(
    ("state", "health", "status"),
    [
        ("running", "", "running"),
        ("running", "healthy", "running"),
        ("running", "starting", "running"),
        ("running", "unhealthy", "unhealthy"),
        ("restarting", "", "restarting"),
        ("stopped", "", "stopped"),
    ],
)
def test_status_is_one_word(state, health, status):
    assert Workload("a", state, health, "", {}).status == status


def test_a_workload_knows_what_it_was_made_from():
    assert Workload("a", "running", "", "", {LABEL_SPEC: "abc"}).spec == "abc"
    assert Workload("a", "running", "", "", {}).spec == ""


@pytest.mark.parametrize(
    ("version", "guards"),
    [("20.10.24+dfsg1", False), ("26.1.5+dfsg1", False), ("27.0.1", True), ("28.5.2-ce", True), ("29.1.0", True)],
)
def test_from_27_on_the_engine_lets_nothing_through_to_an_ipv6_address_by_itself(version, guards):
    assert EngineInfo("docker", version, "1.41").guards_ipv6 is guards
