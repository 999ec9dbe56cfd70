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
def test_what_docker_alone_is_told_of_an_account(docker_lab):
    wanted = spec(docker_lab, dns="192.0.2.53")
    docker_lab.engine.create(wanted, [])
    told = docker_lab.inspect(wanted.name)
    host = told["HostConfig"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert (host["MemorySwap"], host["CpuShares"]) == (64 << 20, 64)
    assert host["RestartPolicy"]["Name"] == "always"
    assert host["Tmpfs"] == wanted.tmpfs
    assert host["Dns"] == ["192.0.2.53"]
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
