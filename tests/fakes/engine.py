"""An engine in memory."""

import contextlib
import dataclasses
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.fakes.carrier import FakeCarrier
from tests.fakes.world import Container, Volume, World

from mailpod.engine.port import Progress
from mailpod.model.archive import File
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.layout import BESIDE_MAIN, container_beside_main, main_container
from mailpod.model.spec import (
    LABEL_INSTANCE,
    LABEL_ROLE,
    LABEL_SPEC,
    EngineInfo,
    Network,
    Workload,
    WorkloadSpec,
)

ZONE_KEYS = "db/keys/data.mdb"
"""What a name server makes itself if its volume has none."""


def _nothing(_what: str) -> None:
    pass


class FakeEngine(FakeCarrier):
    """Implements `mailpod.engine.port.Engine` on a `World`.

    Args:
        world: what is there.
        step: called with a name before everything that has an effect; what it raises is the engine's failure.
        kind: `swarm` for one whose machine has a name, and whose networks know IPv4 alone.
    """

    def __init__(self, world: World | None = None, step: Callable[[str], None] = _nothing, kind: str = "fake") -> None:
        self.world = world or World()
        self._step = step
        self._kind = kind

    def _reach(self, what: str) -> World:
        if not self.world.reachable:
            raise EngineUnreachable("no container engine answers", "start Docker")
        self._step(f"engine {what}")
        return self.world

    def info(self) -> EngineInfo:
        self._reach("info")
        return EngineInfo(self._kind, "1.0", "1.0")

    def found_swarm(self, advertise: str) -> bool:
        world = self._reach("found_swarm")
        if world.swarm == "worker":
            raise MailpodError("this machine is in a Swarm that it does not manage", "leave it")
        made = not world.swarm
        world.swarm = "manager"
        return made

    def leave_swarm(self) -> None:
        world = self._reach("leave_swarm")
        world.swarm = ""
        world.containers = {name: one for name, one in world.containers.items() if one.kind != "swarm"}

    def has_image(self, tag: str) -> bool:
        return tag in self._reach("has_image").images

    def pull_image(self, reference: str) -> bool:
        world = self._reach("pull_image")
        if world.registry:
            world.images[reference] = reference
        return world.registry

    def import_image(self, archive: Path, tag: str) -> None:
        world = self._reach("import_image")
        if not tarfile.is_tarfile(io.BytesIO(archive.read_bytes())):
            raise MailpodError("the engine refused: not a tar", "see: mailpod status")
        world.images[tag] = archive.name

    def tag_image(self, reference: str, tag: str) -> None:
        world = self._reach("tag_image")
        if reference not in world.images:
            raise MailpodError(f"the engine refused: no such image: {reference}", "see: mailpod status")
        world.images[tag] = world.images[reference]

    def remove_image(self, tag: str) -> None:
        world = self._reach(f"remove_image {tag}")
        if not any(container.image == tag for container in world.containers.values()):
            world.images.pop(tag, None)

    def build_image(
        self, context: Path, tag: str, target: str, arguments: Mapping[str, str], progress: Progress
    ) -> None:
        world = self._reach("build_image")
        if not (context / "Dockerfile").exists():
            raise MailpodError(f"building {tag} failed: no Dockerfile", "try again, or report it")
        progress(f"Step 1/1 : FROM {arguments.get('BASE', 'scratch')} {target}")
        world.images[tag] = f"{context.name} {target}"

    def spread_images(self, tags, progress):
        world = self._reach("spread_images")
        assert set(tags) <= world.images.keys()

    def ensure_local_network(self, name, node, subnet):
        """Nothing: its networks are its own."""

    def remove_local_networks(self, beginning, but):
        """Nothing."""

    def encrypts(self, image):
        assert image in self._reach("encrypts").images
        return self.world.encrypts

    def machines(self):
        first, *others = self._reach("machines").machines
        return [first if self._kind == "swarm" else dataclasses.replace(first, name=""), *others]

    def _answers(self, node: str) -> None:
        if any(machine.name == node and machine.state == "down" for machine in self.world.machines):
            raise EngineUnreachable(f"{node} cannot be reached", "see that it runs")

    def up(self):
        return self.world.up() if self._kind == "swarm" else [""]

    def set_available(self, node, *, available):
        self._reach(f"set_available {node}").say(node, "ready" if available else "drained")

    def remove_machine(self, node):
        world = self._reach(f"remove_machine {node}")
        world.machines = [one for one in world.machines if one.name != node]

    def join(self):
        if self._kind != "swarm":
            raise MailpodError("this engine is one machine", "add none")
        return "SWMTKN-1-secret", "192.0.2.1:2377"

    def change_token(self):
        self._reach("change_token")

    def deploy_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        world = self._reach("deploy_main")
        instance = environment["MAILPOD_INSTANCE"]
        if not all(map(Path.exists, compose_files)) or environment["MAILPOD_MAIN_IMAGE"] not in world.images:
            raise MailpodError("Docker Compose failed", "see: mailpod status")
        name, labels = main_container(instance), {LABEL_INSTANCE: instance, LABEL_ROLE: "main"}
        for network in _networks(compose_files, environment, self._kind):
            there = world.networks.setdefault(network.name, network)
            if (set(there.subnets), there.encrypted) != (set(network.subnets), network.encrypted):
                raise MailpodError("Docker Compose failed: the network needs to be recreated", "see: mailpod status")
        world.volumes.setdefault(name, Volume(labels))
        self._step("engine main's volume is there")
        main = Container(
            environment["MAILPOD_MAIN_IMAGE"], labels, name, instance, state="running", memory=1, kind=self._kind
        )
        if world.containers.setdefault(name, main).kind != self._kind:
            raise MailpodError("the engine refused: main's ports are taken", "see: mailpod status")
        if world.containers[name].image != main.image:
            world.containers[name] = main
        if main.image in world.broken_images:
            raise MailpodError("Docker Compose failed", "see: mailpod status")
        world.containers[name].state = "running"
        for service in filter(None, environment["COMPOSE_PROFILES"].split(",")):
            self._deploy_beside(service, environment)

    def _deploy_beside(self, service: str, environment: Mapping[str, str]) -> None:
        image, instance = environment[f"MAILPOD_{service.upper()}_IMAGE"], environment["MAILPOD_INSTANCE"]
        assert image in self.world.images
        name, labels = container_beside_main(instance, service), {LABEL_INSTANCE: instance, LABEL_ROLE: service}
        volume = self.world.volumes.setdefault(name, Volume(labels))
        if service == "dns":
            volume.files.setdefault(ZONE_KEYS, File(ZONE_KEYS, os.urandom(8)))
        made = Container(image, labels, name, instance, state="running", memory=1, kind=self._kind)
        self.world.containers.setdefault(name, made).state = "running"

    def remove_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        world = self._reach("remove_main")
        instance = environment["MAILPOD_INSTANCE"]
        world.containers.pop(main_container(instance), None)
        for service in BESIDE_MAIN:
            if service in environment["COMPOSE_PROFILES"].split(","):
                world.containers.pop(container_beside_main(instance, service), None)
        self._step("engine main is gone")
        for name, one in list(world.containers.items()):
            if one.labels[LABEL_INSTANCE] == instance and one.kind != self._kind:
                del world.containers[name]
        for network in _networks(compose_files, environment, self._kind):
            if any(container.network == network.name for container in world.containers.values()):
                raise MailpodError("Docker Compose failed: the network has active endpoints", "see: mailpod status")
            world.networks.pop(network.name, None)

    def networks(self) -> list[Network]:
        return list(self._reach("networks").networks.values())

    def workloads(self, instance: str) -> list[Workload]:
        found = self._reach("workloads").containers.items()
        down = {machine.name: machine.since for machine in self.world.machines if machine.state == "down"}
        return [_workload(name, item, down) for name, item in found if item.labels[LABEL_INSTANCE] == instance]

    def create(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        world = self._reach(f"create {spec.name}")
        self._answers(spec.node)
        volume = world.key(spec.volume, spec.node)
        with contextlib.ExitStack() as undo:
            if volume not in world.volumes:
                world.add_volume(volume, spec)
                undo.push(_unless_killed(lambda: world.volumes.pop(volume)))
                self._step(f"engine the volume of {spec.name} is there")
            if spec.image not in world.images or spec.network not in world.networks or spec.name in world.containers:
                raise MailpodError(f"the engine refused: {spec.name}", "see: mailpod status")
            labels = {**spec.labels, LABEL_SPEC: spec.digest()}
            container = Container(spec.image, labels, volume, spec.network, spec.node, kind=self._kind)
            world.containers[spec.name] = container
            undo.push(_unless_killed(lambda: world.containers.pop(spec.name, None)))
            self._step(f"engine {spec.name} is made")
            world.volumes[volume].files.update({file.path: file for file in seed})
            self._step(f"engine {spec.name} has its seed")
            self._run(spec.name)
            undo.pop_all()

    def start(self, name: str) -> None:
        world = self._reach(f"start {name}")
        if name not in world.containers:
            raise MailpodError(f"the engine refused: no such container: {name}", "see: mailpod status")
        if world.containers[name].state != "running":
            world.containers[name].comes_up = True
            self._run(name)

    def halt(self, name: str) -> bytes:
        container = self._reach(f"halt {name}").containers.get(name)
        if not container:
            return b""
        ran, container.comes_up, container.state = container.state == "running", False, "exited"
        return b"last words" if ran and self._kind == "swarm" else b""

    def _run(self, name: str) -> None:
        container = self.world.containers[name]
        if container.image in self.world.broken_images:
            raise MailpodError(f"the engine refused: {name} does not start", "see: mailpod status")
        container.seen = dict(self.world.volumes[container.volume].files)
        container.state, container.memory = "running", 4096
        container.output.append("2026-01-01T00:00:00.000000000Z started")

    def remove(self, name: str) -> None:
        self._reach(f"remove {name}").containers.pop(name, None)

    def volumes(self, instance: str) -> dict[str, Mapping[str, str]]:
        found = self._reach("volumes").volumes.items()
        ours = {key: volume.labels for key, volume in found if volume.labels[LABEL_INSTANCE] == instance}
        return {key.partition("@")[0]: labels for key, labels in ours.items()}

    def volume_limit(self, name: str) -> int:
        volumes = {key.partition("@")[0]: one for key, one in self._reach("volume_limit").volumes.items()}
        return volumes[name].limit if name in volumes else 0

    def remove_volumes(self, instance: str) -> None:
        world = self._reach("remove_volumes")
        down = tuple(f"@{one.name}" for one in world.machines if one.state == "down")
        for key in [key for key, one in world.volumes.items() if one.labels[LABEL_INSTANCE] == instance]:
            if not key.endswith(down):
                self._remove_volume(key)

    def _remove_volume(self, key):
        if any(container.volume == key for container in self.world.containers.values()):
            raise MailpodError(f"the engine refused: volume is in use: {key}", "see: mailpod status")
        self.world.volumes.pop(key, None)

    def logs(self, name, node, since=None, last=None):
        self._answers(node)
        said = self._reach(f"logs {name}").containers[name].output if name in self.world.containers else []
        told = [line for line in said if since is None or line >= since.strftime("%Y-%m-%dT%H:%M:%S")]
        yield from (line.encode() for line in (told if last is None else told[max(0, len(told) - last) :]))

    def follow(self, name, node, last=None):
        yield from self.logs(name, node, last=last)

    def memory(self, names: Iterable[str]) -> dict[str, int]:
        world = self._reach("memory")
        running = {name for name, container in world.containers.items() if container.state == "running"}
        return {name: world.containers[name].memory if name in running else 0 for name in names}


def _networks(compose_files: Sequence[Path], environment: Mapping[str, str], kind: str) -> list[Network]:
    """What the Compose files define, as far as this engine is concerned."""
    routed = environment["MAILPOD_IPV6_MODE"] == "routed"
    subnets: tuple[str, ...] = environment["MAILPOD_IPV4_SUBNET"], environment["MAILPOD_IPV6_SUBNET"]
    encrypted = bool(environment["MAILPOD_ENCRYPTED"])
    instance = environment["MAILPOD_INSTANCE"]
    found = [Network(instance, subnets[:1] if kind == "swarm" else subnets, routed, encrypted, instance)]
    for file in compose_files:
        if file.suffix == ".json":
            more = json.loads(file.read_text()).get("networks", {}).values()
            found += [
                Network(one["name"], tuple(c["subnet"] for c in one["ipam"]["config"]), routed, instance=instance)
                for one in more
                if not one.get("external")
            ]
    return found


def _unless_killed(undo: Callable[[], object]) -> Callable[..., None]:
    """A killed process undoes nothing."""

    def leave(kind: type[BaseException] | None, *_rest: object) -> None:
        if kind and issubclass(kind, Exception):
            undo()

    return leave


def _workload(name: str, container: Container, down: Mapping[str, str]) -> Workload:
    state = container.state if container.state in {"running", "restarting", "created"} else "stopped"
    if container.comes_up and container.node in down:
        state = "unreachable"
    runs = state == "running"
    return Workload(
        name=name,
        state=state,
        health=container.health if runs else "",
        image=container.image,
        labels=container.labels,
        ipv4="192.0.2.7" if runs else "",
        ipv6="2001:db8::7" if runs else "",
        node=container.node,
        since=down.get(container.node, "") if state == "unreachable" else "",
    )
