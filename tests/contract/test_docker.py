"""What Docker in particular is told, and what it says when it is in no state to serve."""

import pytest
from tests.contract.labs import DockerLab, spec

from mailpod.model.archive import File


@pytest.fixture(scope="module")
def docker_lab(place, tmp_path_factory):
    lab = DockerLab(tmp_path_factory.mktemp("images"), place.url)
    yield lab
    lab.close()


@pytest.mark.engine
def test_an_account_runs_with_no_more_rights_than_were_named(docker_lab):
    wanted = spec(docker_lab, dns="192.0.2.53")
    docker_lab.engine.create(wanted, [])
    told = docker_lab.inspect(wanted.name)
    host = told["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == set(wanted.capabilities)
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert (host["PidsLimit"], host["Memory"], host["MemorySwap"]) == (16, 64 << 20, 64 << 20)
    assert (host["NanoCpus"], host["CpuShares"]) == (500_000_000, 64)
    assert (host["Privileged"], host["PortBindings"] or {}) == (False, {})
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["Tmpfs"] == wanted.tmpfs
    assert host["Dns"] == ["192.0.2.53"]
    assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}
    assert [(mount["Name"], mount["Destination"]) for mount in told["Mounts"]] == [(wanted.volume, "/data")]
    assert told["Config"]["Hostname"] == wanted.hostname
    assert "NAME=alice" in told["Config"]["Env"]
    [network] = told["NetworkSettings"]["Networks"].items()
    assert network[0] == docker_lab.instance
    assert set(wanted.aliases) <= set(network[1]["Aliases"])
    docker_lab.stop(wanted.name)


@pytest.mark.engine
def test_health_is_told_from_the_first_moment(docker_lab):
    wanted = spec(docker_lab, "health")
    docker_lab.engine.create(wanted, [File("etc/x", b"")])
    found = {w.name: w for w in docker_lab.engine.workloads(docker_lab.instance)}[wanted.name]
    assert (found.health, found.status) == ("starting", "running")


@pytest.mark.engine
def test_a_paused_container_goes_on(docker_lab):
    wanted = spec(docker_lab, "paused")
    docker_lab.engine.create(wanted, [])
    docker_lab.pause(wanted.name)
    docker_lab.engine.start(wanted.name)
    assert {w.name: w.state for w in docker_lab.engine.workloads(docker_lab.instance)}[wanted.name] == "running"
    docker_lab.pause(wanted.name)
    docker_lab.engine.halt(wanted.name)
    assert not docker_lab.inspect(wanted.name)["State"]["Paused"]
    assert {w.name: w.state for w in docker_lab.engine.workloads(docker_lab.instance)}[wanted.name] == "stopped"
