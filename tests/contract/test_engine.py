"""What every engine does alike. The stand-in and the real ones pass the same tests."""

import dataclasses
import io
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from tests.contract.labs import spec

from mailpod.engine.swarm import SwarmEngine
from mailpod.model.archive import File
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, LABEL_SPEC

SEED = [
    File("etc/secret", b"a secret\n", 0o600),
    File("etc/deep/er/public", b"\x00\xff" * 9000, 0o644),
    File("etc/users", b"theirs", 0o640, 1000),
]


def names(lab, instance=None):
    return {workload.name for workload in lab.engine.workloads(instance or lab.instance)}


def only(lab):
    [workload] = lab.engine.workloads(lab.instance)
    return workload


def until(fact, seconds=20):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_says_what_it_is(lab):
    info = lab.engine.info()
    assert info.kind == lab.kind
    assert info.version
    assert info.api.count(".") == 1


def test_an_image_is_imported_found_and_named_again(lab, tmp_path):
    archive = tmp_path / "root.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("etc/motd")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"hello"))
    tag, other = f"mailpod-contract/imported:{lab.instance}", f"mailpod-contract/other:{lab.instance}"
    assert not lab.engine.has_image(tag)
    lab.engine.import_image(archive, tag)
    assert lab.engine.has_image(tag)
    assert not lab.engine.has_image(other)
    lab.engine.tag_image(tag, other)
    assert lab.engine.has_image(other)
    with pytest.raises(MailpodError):
        lab.engine.tag_image(f"mailpod-contract/none:{lab.instance}", other)


def test_a_build_tells_how_it_goes_or_fails(lab, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    tag, said = f"mailpod-contract/built:{lab.instance}", []
    with pytest.raises(MailpodError):
        lab.engine.build_image(context, tag, "", {}, said.append)
    assert not lab.engine.has_image(tag)
    dockerfile = "ARG BASE\nFROM $BASE AS one\nLABEL a=b\nFROM one AS two\nRUN false\n"
    (context / "Dockerfile").write_text(dockerfile)
    lab.engine.build_image(context, tag, "one", {"BASE": lab.image}, said.append)
    assert lab.engine.has_image(tag)
    assert any("FROM" in line for line in said)


def test_an_image_is_removed_unless_something_is_on_it(lab, tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM $BASE\nLABEL a=c\n")
    tag = f"mailpod-contract/removed:{lab.instance}"
    lab.engine.build_image(tmp_path, tag, "", {"BASE": lab.image}, lambda _line: None)
    wanted = dataclasses.replace(spec(lab), image=tag)
    lab.engine.create(wanted, [])
    lab.engine.remove_image(tag)
    assert lab.engine.has_image(tag)
    lab.engine.remove(wanted.name)
    for _ in range(2):
        lab.engine.remove_image(tag)
        assert not lab.engine.has_image(tag)


def test_create_makes_volume_and_container_and_starts_it(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, [])
    found = only(lab)
    assert (found.name, found.state, found.image) == (wanted.name, "running", lab.image)
    assert found.ipv4
    assert bool(found.ipv6) == lab.has_ipv6
    assert found.spec == wanted.digest()
    assert {key: found.labels[key] for key in wanted.labels} == wanted.labels
    assert found.labels[LABEL_SPEC] == wanted.digest()
    assert lab.engine.volumes(lab.instance) == {wanted.volume: wanted.labels}


def test_the_seed_is_on_the_volume_with_mode_and_owner_before_the_start(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, SEED)
    until(lambda: lab.has(wanted.name, "etc/users"))
    for file in SEED:
        until(lambda file=file: lab.seen(wanted.name, file.path) == file)


def test_what_a_container_has_said_is_read_with_its_times(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, SEED)
    until(lambda: list(lab.engine.logs(wanted.name, wanted.node)))
    [line] = lab.engine.logs(wanted.name, wanted.node, last=1)
    at, _, said = line.decode().partition(" ")
    assert said == "started"
    then = datetime.fromisoformat(at)
    assert list(lab.engine.logs(wanted.name, wanted.node, then - timedelta(minutes=1))) == [line]
    assert not list(lab.engine.logs(wanted.name, wanted.node, then + timedelta(minutes=1)))
    following = lab.engine.follow(wanted.name, wanted.node, last=1)
    assert next(following) == line
    lab.engine.halt(wanted.name)
    assert not list(following)
    lab.engine.remove(wanted.name)
    assert not list(lab.engine.logs(wanted.name, wanted.node))


def test_a_container_that_is_made_anew_finds_its_volume_and_the_new_seed(lab):
    first = spec(lab)
    lab.engine.create(first, SEED)
    lab.write(first.name, "mail")
    lab.engine.remove(first.name)
    assert lab.engine.volumes(lab.instance).keys() == {first.volume}
    second = dataclasses.replace(first, memory=80 << 20)
    lab.engine.create(second, [File("etc/secret", b"another", 0o600)])
    assert lab.has(second.name, "mail")
    assert lab.has(second.name, "etc/users")
    assert only(lab).spec == second.digest() != first.digest()


def test_a_name_is_free_as_soon_as_it_was_removed(lab):
    wanted = spec(lab)
    for _ in range(3):
        lab.engine.create(wanted, SEED)
        lab.engine.remove(wanted.name)
    assert names(lab) == set()


def test_what_is_not_there_is_removed_without_a_word(lab):
    lab.engine.remove(f"{lab.instance}-nobody")
    lab.engine.discard(spec(lab, volume=f"{lab.instance}-nothing"))


def test_two_may_remove_the_same_container_at_once(lab):
    """`delete` beside `apply`."""
    lab.engine.create(spec(lab), [])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lab.engine.remove, [spec(lab).name] * 4))
    assert names(lab) == set()


def test_a_volume_in_use_is_not_destroyed(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, [])
    with pytest.raises(MailpodError):
        lab.engine.discard(wanted)
    assert wanted.volume in lab.engine.volumes(lab.instance)
    lab.engine.remove(wanted.name)
    lab.engine.discard(wanted)
    assert lab.engine.volumes(lab.instance) == {}


@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("fault", ["no image", "no network", "does not start", "name is taken"])
def test_a_create_that_fails_leaves_what_was_there_and_nothing_else(lab, fault, existed):
    wanted = spec(lab, "bob")
    if existed:
        lab.engine.create(wanted, SEED)
        lab.write(wanted.name, "mail")
        lab.engine.remove(wanted.name)
    if fault == "name is taken":
        lab.engine.create(dataclasses.replace(wanted, volume=f"{lab.instance}-older"), [])
    changes = {
        "no image": {"image": "mailpod-contract/none:at-all"},
        "no network": {"network": f"{lab.instance}x"},
        "does not start": {"image": lab.broken_image},
        "name is taken": {},
    }[fault]
    before = lab.engine.volumes(lab.instance), {w.name: w.spec for w in lab.engine.workloads(lab.instance)}
    with pytest.raises(MailpodError) as failed:
        lab.engine.create(dataclasses.replace(wanted, **changes), SEED)
    assert not isinstance(failed.value, EngineUnreachable)
    assert "\n" not in failed.value.what
    assert before == (lab.engine.volumes(lab.instance), {w.name: w.spec for w in lab.engine.workloads(lab.instance)})
    if existed:
        lab.engine.remove(wanted.name)
        lab.engine.create(wanted, [])
        assert lab.has(wanted.name, "mail"), "the mail that was there is gone"


def test_stopped_is_told_and_start_starts(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, [])
    lab.engine.start(wanted.name)
    lab.stop(wanted.name)
    found = only(lab)
    assert (found.state, found.status, found.health, found.ipv4) == ("stopped", "stopped", "", "")
    assert lab.engine.memory([wanted.name]) == {wanted.name: 0}
    lab.engine.start(wanted.name)
    assert only(lab).state == "running"
    with pytest.raises(MailpodError):
        lab.engine.start(f"{lab.instance}-nobody")


def test_what_was_halted_is_there_and_ended_until_it_is_started(lab):
    wanted = spec(lab)
    lab.engine.halt(wanted.name)
    lab.engine.create(wanted, SEED)
    lab.write(wanted.name, "mail")
    for _ in range(2):
        lab.engine.halt(wanted.name)
        assert (only(lab).state, only(lab).spec) == ("stopped", wanted.digest())
        assert not lab.comes_up(wanted.name)
    lab.engine.start(wanted.name)
    assert only(lab).state == "running"
    assert lab.comes_up(wanted.name)
    assert lab.has(wanted.name, "mail")


def test_what_one_that_was_halted_had_said_is_with_the_engine_or_given(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, SEED)
    lab.write(wanted.name, "mail")
    assert b"started" in lab.engine.halt(wanted.name) + lab.log(wanted.name)


def test_instances_do_not_see_each_other(lab):
    """Nor one whose name begins with the other's."""
    other = f"{lab.instance}-2"
    lab.add_network(other)
    theirs = spec(lab, instance=other)
    lab.engine.create(spec(lab), [])
    lab.engine.create(theirs, [])
    try:
        assert names(lab) == {spec(lab).name}
        assert names(lab, other) == {theirs.name}
        assert set(lab.engine.volumes(lab.instance)) == {spec(lab).volume}
        assert set(lab.engine.volumes(other)) == {theirs.volume}
        assert lab.engine.workloads(lab.instance[:-1]) == []
        assert lab.engine.volumes("") == {}
    finally:
        lab.engine.remove(theirs.name)
        lab.engine.discard(theirs)


def test_a_container_and_its_volume_are_on_the_machine_that_was_named(lab):
    for machine in lab.engine.machines():
        wanted = spec(lab, node=machine.name)
        lab.engine.create(wanted, SEED)
        assert (only(lab).node, only(lab).spec) == (machine.name, wanted.digest())
        until(lambda path=SEED[0].path, name=wanted.name: lab.has(name, path))
        assert lab.engine.memory([wanted.name])[wanted.name] > 0
        with pytest.raises(MailpodError):
            lab.engine.discard(wanted)
        lab.engine.halt(wanted.name)
        assert (only(lab).node, only(lab).state) == (machine.name, "stopped")
        lab.engine.start(wanted.name)
        lab.engine.remove(wanted.name)
        assert wanted.volume in lab.engine.volumes(lab.instance)
        lab.engine.discard(wanted)
        assert lab.engine.volumes(lab.instance) == {}


REAL = [pytest.param(kind, marks=pytest.mark.engine) for kind in ("docker", "swarm")]


@pytest.mark.parametrize("laboratory", REAL, indirect=True)
def test_an_account_runs_with_no_more_rights_than_were_named(lab):
    """As the container has them, whatever the engine was told, on each machine."""
    for machine in lab.engine.machines():
        wanted = spec(lab, node=machine.name)
        lab.engine.create(wanted, [])
        told = lab.inspect(wanted.name)
        host = told["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == set(wanted.capabilities)
        assert (host["PidsLimit"], host["Memory"], host["NanoCpus"]) == (16, 64 << 20, 500_000_000)
        assert (host["Privileged"], host["PortBindings"] or {}) == (False, {})
        assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}
        mounts = {(one["Type"], one.get("Name", ""), one["Destination"]) for one in told["Mounts"]}
        assert {one for one in mounts if one[0] != "tmpfs"} == {("volume", wanted.volume, "/data")}
        assert told["Config"]["Hostname"] == wanted.hostname
        assert "NAME=alice" in told["Config"]["Env"]
        lab.engine.remove(wanted.name)
        lab.engine.remove_volume(wanted.volume)


@pytest.mark.parametrize("laboratory", REAL[1:], indirect=True)
def test_a_machine_with_another_image_of_that_name_gets_the_one_that_is_here(lab):
    """And what is copied is told; nothing is, where it is there."""
    other = lab.engine.on("node2")
    lab.engine.spread_images([lab.broken_image], print)
    other.client.tag(lab.broken_image, *lab.image.rsplit(":", 1))
    assert other.image_id(lab.image) != lab.engine.image_id(lab.image)
    said = []
    lab.engine.spread_images([lab.image], said.append)
    assert other.image_id(lab.image) == lab.engine.image_id(lab.image)
    assert said == ["copying 1 images to node2 (over SSH)"]
    lab.engine.spread_images([lab.image], said.append)
    assert len(said) == 1


@pytest.mark.parametrize("laboratory", REAL[1:], indirect=True)
def test_a_machine_to_which_there_is_no_way_holds_up_nothing_of_the_others(lab, monkeypatch):
    def reach(name):
        raise EngineUnreachable(f"{name} cannot be reached", "see that it answers on SSH")

    wanted = spec(lab, node=lab.engine.here())
    engine = SwarmEngine(reach, lambda: ["node2"])
    engine.create(wanted, SEED)
    assert engine.up() == [engine.here()]
    engine.remove_helpers(lab.instance, "1")
    assert set(engine.volumes(lab.instance)) == {wanted.volume}
    assert {one.name: one.state for one in engine.machines()} == {"node1": "ready", "node2": "ready"}
    engine.remove(wanted.name)


def test_memory(lab):
    wanted = spec(lab)
    lab.engine.create(wanted, [])
    assert 0 < lab.engine.memory([wanted.name])[wanted.name] < wanted.memory
    assert lab.engine.memory([f"{lab.instance}-nobody"]) == {f"{lab.instance}-nobody": 0}


def test_several_at_once(lab):
    several = [spec(lab, f"many{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: lab.engine.create(one, SEED), several))
        assert names(lab) == {one.name for one in several}
        list(pool.map(lambda one: lab.engine.remove(one.name), several))
    assert set(lab.engine.volumes(lab.instance)) == {one.volume for one in several}


def test_labels_of_main_are_no_accounts(lab):
    labels = {LABEL_INSTANCE: lab.instance, LABEL_ROLE: "account", LABEL_ACCOUNT: "alice", LABEL_ID: "7"}
    lab.engine.create(spec(lab, labels=labels), [])
    assert only(lab).labels[LABEL_ID] == "7"
