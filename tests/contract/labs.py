"""What a contract test needs beside the engine: a network, images, and a look past the protocol."""

import contextlib
import io
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import docker
import docker.errors
import docker.types
import pytest
from docker.models.containers import Container
from tests.e2e.support.cluster import Cluster, cluster
from tests.e2e.support.wait import until
from tests.fakes.engine import FakeEngine
from tests.fakes.world import World

from mailpod.engine.docker import DockerEngine
from mailpod.engine.port import Engine
from mailpod.engine.swarm import SwarmEngine
from mailpod.host.base_image import ensure_base_image
from mailpod.model.archive import File
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, Network, WorkloadSpec

BASE = "mailpod/base:trixie"

# What it finds on its volume goes to a folder there, whole, before anything else can put one in.
_COPY = "[ -e /data/seen ] || { rm -rf /data/copy; cp -a /data/etc /data/copy && mv /data/copy /data/seen; }"
DOCKERFILE = f"""\
FROM {BASE}
STOPSIGNAL SIGKILL
HEALTHCHECK --interval=1h CMD ["true"]
CMD ["sh", "-c", "echo started; {_COPY}; exec sleep 600"]
"""
BROKEN = f'FROM {BASE}\nSTOPSIGNAL SIGKILL\nCMD ["/no/such/program"]\n'


class Lab(Protocol):
    """One engine under test, and an instance name of its own.

    Attributes:
        kind: what the engine is to call itself.
        has_ipv6: its containers have IPv6 addresses on the system's network.
    """

    engine: Engine
    kind: str
    has_ipv6: bool
    instance: str
    image: str
    broken_image: str

    def stop(self, name: str) -> None:
        """Let a container stop behind mailpod's back, as an operator does it."""

    def seen(self, name: str, path: str) -> File:
        """A file of the volume as the container found it when it started."""

    def write(self, name: str, path: str) -> None:
        """Let the container write a file of its own on its volume."""

    def has(self, name: str, path: str) -> bool:
        """Whether a file is on the container's volume."""

    def comes_up(self, name: str) -> bool:
        """Whether the engine starts a container when it is itself started."""

    def log(self, name: str) -> bytes:
        """What a container has said, as far as the engine keeps it."""

    def add_network(self, instance: str) -> None:
        """Make another system's network."""

    def close(self) -> None:
        """Take away everything the tests made."""


def spec(lab: Lab, name: str = "alice", **changes: Any) -> WorkloadSpec:  # noqa: ANN401  (fields of the record)
    """The specification of a small account."""
    instance = changes.pop("instance", lab.instance)
    fields: dict[str, Any] = {
        "name": f"{instance}-{name}",
        "image": lab.image,
        "hostname": f"{name}.example.org",
        "network": instance,
        "aliases": (f"{name}.example.org", f"{name}.mailpod.internal"),
        "volume": f"{instance}-{name}-1",
        "mount": "/data",
        "memory": 64 << 20,
        "pids": 16,
        "cpus": 0.5,
        "cpu_weight": 64,
        "disk": 1 << 30,
        "capabilities": ("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        "tmpfs": {"/run": "exec,mode=755", "/tmp": "mode=1777"},
        "environment": {"NAME": name},
        "labels": {LABEL_INSTANCE: instance, LABEL_ROLE: "account", LABEL_ACCOUNT: name, LABEL_ID: "1"},
    }
    return WorkloadSpec(**fields | changes)


def random_instance() -> str:
    """A name nobody else has."""
    return f"contract{secrets.token_hex(4)}"


class FakeLab:
    """An engine in memory."""

    kind = "fake"
    has_ipv6 = True

    def __init__(self) -> None:
        self.world = World()
        self.engine: Engine = FakeEngine(self.world)
        self.instance = random_instance()
        self.image, self.broken_image = "image:1", "broken:1"
        self.world.images = {self.image: "", self.broken_image: ""}
        self.world.broken_images = {self.broken_image}
        self.add_network(self.instance)

    def add_network(self, instance: str) -> None:
        self.world.networks[instance] = Network(instance, ("192.0.2.0/24", "2001:db8::/80"), routed=False)

    def stop(self, name: str) -> None:
        self.world.containers[name].state = "exited"

    def seen(self, name: str, path: str) -> File:
        return self.world.containers[name].seen[path]

    def _files(self, name: str) -> dict[str, File]:
        return self.world.volumes[self.world.containers[name].volume].files

    def write(self, name: str, path: str) -> None:
        self._files(name)[path] = File(path, b"mine")

    def has(self, name: str, path: str) -> bool:
        return path in self._files(name)

    def comes_up(self, name: str) -> bool:
        return self.world.containers[name].comes_up

    def log(self, name: str) -> bytes:
        return b"started" if name in self.world.containers else b""

    def close(self) -> None:
        pass


class RealLab:
    """What engines that run containers have in common.

    Args:
        engine: under test, with the base image.
        folder: for what images are built from.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.instance = random_instance()
        self._instances = {self.instance}
        self.image = self._build(folder / "good", DOCKERFILE, "good")
        self.broken_image = self._build(folder / "broken", BROKEN, "broken")
        self.add_network(self.instance)

    def _build(self, context: Path, dockerfile: str, name: str) -> str:
        context.mkdir()
        (context / "Dockerfile").write_text(dockerfile)
        tag = f"mailpod-contract/{name}:{self.instance}"
        self.engine.build_image(context, tag, "", {}, lambda _line: None)
        return tag

    def add_network(self, instance: str) -> None:
        raise NotImplementedError

    def container(self, name: str) -> Container:
        """The container that runs."""
        raise NotImplementedError

    def _get(self, name: str, path: str) -> tuple[tarfile.TarInfo, bytes]:
        chunks, _ = self.container(name).get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            [member] = archive.getmembers()
            content = archive.extractfile(member)
            return member, content.read() if content else b""

    def seen(self, name: str, path: str) -> File:
        while not self.has(name, f"seen/{path.removeprefix('etc/')}"):  # the container is still copying
            assert self.inspect(name)["State"]["Running"]
        member, content = self._get(name, f"/data/seen/{path.removeprefix('etc/')}")
        assert member.uid == member.gid
        return File(path, content, member.mode & 0o7777, member.uid)

    def write(self, name: str, path: str) -> None:
        code, output = self.container(name).exec_run(["sh", "-c", f"echo mine >/data/{path}"])
        assert code == 0, output

    def has(self, name: str, path: str) -> bool:
        try:
            self._get(name, f"/data/{path}")
        except docker.errors.NotFound:
            return False
        return True

    def inspect(self, name: str) -> Mapping[str, Any]:
        """What the engine tells of a container, in its own words."""
        return dict(self.container(name).attrs)


class DockerLab(RealLab):
    """A Docker Engine.

    Args:
        url: of its API; the local one without.
    """

    kind = "docker"
    has_ipv6 = True

    def __init__(self, folder: Path, url: str = "") -> None:
        self._client = docker.DockerClient(base_url=url) if url else docker.from_env()
        self._real = DockerEngine(url)
        ensure_base_image(self._real, BASE, print)
        super().__init__(self._real, folder)

    def add_network(self, instance: str) -> None:
        self._instances.add(instance)
        pool = docker.types.IPAMPool(subnet=f"fd{secrets.token_hex(1)}:{secrets.token_hex(2)}:1::/64")
        self._client.networks.create(
            instance,
            enable_ipv6=True,
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            labels={LABEL_INSTANCE: instance},
        )

    def container(self, name: str) -> Container:
        return self._client.containers.get(name)

    def stop(self, name: str) -> None:
        self.container(name).stop(timeout=0)

    def pause(self, name: str) -> None:
        """Freeze a container behind the engine's back."""
        self.container(name).pause()

    def comes_up(self, name: str) -> bool:
        return bool(self.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "always")

    def log(self, name: str) -> bytes:
        return bytes(self._client.containers.get(name).logs())

    def close(self) -> None:
        for instance in self._instances:
            ours = {"label": f"{LABEL_INSTANCE}={instance}"}
            for container in self._client.containers.list(all=True, filters=ours, ignore_removed=True):
                with contextlib.suppress(docker.errors.NotFound):
                    container.remove(force=True)
            for volume in self._client.volumes.list(filters=ours):
                volume.remove(force=True)
            for network in self._client.networks.list(filters=ours):
                network.remove()
        for image in self._client.images.list():
            for tag in image.tags:
                if self.instance in tag:
                    self._client.images.remove(tag, force=True)
        self._real._client.close()
        self._client.close()


class SwarmLab(RealLab):
    """A Swarm of two machines of the test's own.

    Args:
        machines: they, with the base image on the first, in no Swarm yet.
    """

    kind = "swarm"
    has_ipv6 = False

    def __init__(self, folder: Path, machines: Cluster) -> None:
        self._urls = {node.hostname: node.url for node in machines.nodes}
        self._clients = [docker.DockerClient(base_url=url) for url in self._urls.values()]
        first, *others = self._clients
        first.swarm.init(advertise_addr=machines.nodes[0].address)
        token = first.swarm.attrs["JoinTokens"]["Worker"]
        for client in others:
            client.swarm.join([machines.nodes[0].address], token)
        # As for the command line, an engine is named by the environment.
        self._environment = pytest.MonkeyPatch()
        self._environment.setenv("DOCKER_HOST", machines.nodes[0].url)
        self._real = SwarmEngine(self._urls.__getitem__, lambda: self._urls)
        super().__init__(self._real, folder)

    def add_network(self, instance: str) -> None:
        self._clients[0].networks.create(instance, driver="overlay", labels={LABEL_INSTANCE: instance})

    def container(self, name: str) -> Container:
        label = {"label": f"com.docker.swarm.service.name={name}"}
        [found] = [one for client in self._clients for one in client.containers.list(filters=label)]
        return found

    def _replicas(self, name: str) -> int:
        mode = self._clients[0].services.get(name).attrs["Spec"]["Mode"]
        return int(mode["Replicated"]["Replicas"])

    def stop(self, name: str) -> None:
        self._clients[0].services.get(name).scale(0)
        tasks = self._clients[0].services.get(name).tasks
        until(lambda: not [t for t in tasks({"desired-state": "running"}) if t["Status"]["State"] == "running"], name)

    def comes_up(self, name: str) -> bool:
        return self._replicas(name) == 1

    def log(self, name: str) -> bytes:
        return b""

    def close(self) -> None:
        """Its machines go with all there is on them."""
        self._environment.undo()
        engines = [self._real, *self._real._others.values()]
        for client in (*self._clients, *(engine._client for engine in engines)):
            client.close()


@contextlib.contextmanager
def swarm_lab(folder: Path) -> Iterator[SwarmLab]:
    """One, with the base image of the machine's own engine."""
    here = DockerEngine()
    ensure_base_image(here, BASE, print)
    here._client.close()
    with cluster(folder, 2, [BASE]) as machines:
        lab = SwarmLab(folder, machines)
        try:
            yield lab
        finally:
            lab.close()
