"""Docker Swarm: accounts as services of one task each, on the machine that has their volume.

The Swarm schedules, restarts and connects. What its API cannot do on another machine (volumes, images, memory) is asked
of that machine's own engine.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import docker.errors
import docker.types

from mailpod.engine import containers, local_networks, members, stack, told
from mailpod.engine.api import EngineApi, said_plainly
from mailpod.engine.carrier import Carrier
from mailpod.engine.logs import LogReader
from mailpod.engine.making import made
from mailpod.engine.port import Progress
from mailpod.model.archive import File
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_IMAGE, LABEL_INSTANCE, LABEL_SPEC, Machine, Workload, WorkloadSpec
from mailpod.waiting import until

_SECOND = 1_000_000_000
_STOP_SECONDS = 10
_START_SECONDS = 60
_END_SECONDS = 30
_SEE = "see: mailpod status"


class SwarmEngine(Carrier, LogReader, EngineApi):
    """Services of the Swarm that an engine manages.

    Args:
        reach: gives the URL of the engine of another machine of the Swarm, by its name; raises `EngineUnreachable`.
        known: gives the names of those to which there is a way. What else is in the Swarm is nothing of the system's.
    """

    kind = "swarm"

    def __init__(self, reach: Callable[[str], str], known: Callable[[], Iterable[str]]) -> None:
        super().__init__()
        self._reach = reach
        self._known = known
        self._others: dict[str, EngineApi] = {}
        self._silent: set[str] = set()
        self._here = ""

    def machines(self) -> list[Machine]:
        """The machines of the Swarm, by name."""
        with said_plainly():
            own = self._client.info()["Swarm"]
            if not own.get("ControlAvailable"):
                raise EngineUnreachable(
                    "this engine manages no Swarm", "run: docker swarm init, or mailpod where the manager is"
                )
            found = self._api.nodes()
        return sorted((members.machine(item, own["NodeID"]) for item in found), key=lambda machine: machine.name)

    def join(self) -> tuple[str, str]:
        """The token with which a machine joins as a worker, and the manager's address and port."""
        with said_plainly():
            swarm: dict[str, Any] = self._api.inspect_swarm()
            address = self._client.info()["Swarm"]["RemoteManagers"][0]["Addr"]
        return swarm["JoinTokens"]["Worker"], address

    def change_token(self) -> None:
        """Machines that are in the Swarm stay in it."""
        with said_plainly():
            swarm = self._api.inspect_swarm()
            self._api.update_swarm(swarm["Version"]["Index"], swarm["Spec"], rotate_worker_token=True)

    def set_available(self, node: str, *, available: bool) -> None:
        """Docker's words for it are `active` and `drain`."""
        with said_plainly():
            members.set_availability(self._api, self._id(node), "active" if available else "drain")

    def remove_machine(self, node: str) -> None:
        """A worker that is up leaves by itself first."""
        with said_plainly(), contextlib.suppress(docker.errors.NotFound):
            if node in self.up():
                self.on(node).client.leave_swarm()
            self._api.remove_node(self._id(node), force=True)

    def _id(self, node: str) -> str:
        return next(machine.id for machine in self.machines() if machine.name == node)

    def here(self) -> str:
        """The name of the machine whose engine this is."""
        self._here = self._here or next(machine.name for machine in self.machines() if machine.here)
        return self._here

    def on(self, node: str) -> EngineApi:
        """The engine of one machine; raises `EngineUnreachable` when it does not answer."""
        if node in {"", self.here()}:
            return self
        if node not in self._others:
            self._others[node] = EngineApi(self._reach(node))
        return self._others[node]

    def up(self) -> list[str]:
        """Names of the machines that are up and answer; one that has not is not waited for a second time."""
        known = set(self._known())
        there = [one.name for one in self.machines() if one.state != "down" and (one.here or one.name in known)]
        return [name for name in there if self._answers(name)]

    def _answers(self, node: str) -> bool:
        if node in self._silent:
            return False
        try:
            self.on(node)
        except EngineUnreachable:
            self._silent.add(node)
            return False
        return True

    def spread_images(self, tags: Iterable[str], progress: Progress) -> None:
        """Give every machine that is up the images of these names, and compare their digests."""
        wanted = {tag: self.image_id(tag) for tag in tags}
        for node in self.up():
            engine = self.on(node)
            missing = [tag for tag, digest in wanted.items() if engine.image_id(tag) != digest]
            if missing:
                progress(f"copying {len(missing)} images to {node} (over SSH)")
                self.copy_images(missing, engine)
            for tag, digest in wanted.items():
                if engine.image_id(tag) != digest:
                    raise MailpodError(
                        f"{node} has another {tag} than this machine", f"remove it there: docker rmi {tag}"
                    )

    def remove_image(self, tag: str) -> None:
        """Remove an image on every machine that is up."""
        for node in self.up():
            EngineApi.remove_image(self.on(node), tag)

    def encrypts(self, image: str) -> bool:
        """Whether the kernel of every machine that is up can encrypt packets to the others."""
        engines = [self.on(node) for node in self.up()]
        with ThreadPoolExecutor(len(engines)) as pool:
            return all(pool.map(lambda engine: engine.can_encrypt(image), engines))

    def deploy_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Make main run on this machine, as a stack."""
        instance = environment["MAILPOD_INSTANCE"]
        stack.deploy(compose_files, environment, self.here(), self.image_id)
        self._wait_until_runs(f"{instance}_main")
        stack.forget_secrets(self._api, instance)

    def remove_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:  # noqa: ARG002
        """Stop and remove main and the networks, and what the system had before it was a Swarm's; volumes stay."""
        instance = environment["MAILPOD_INSTANCE"]
        stack.remove(instance)
        self.end_service(f"{instance}_main")
        with said_plainly():
            containers.remove_all(self._api, instance)
            self._wait_until_ended(self, f"{instance}_main")
            networks = {"label": f"com.docker.stack.namespace={instance}"}
            until(lambda: not self._api.networks(filters=networks), _END_SECONDS, "its networks were not removed", _SEE)

    def ensure_local_network(self, name: str, node: str, subnet: str) -> None:
        """Give a machine that is up a network of its own."""
        if node in self.up():
            self.on(node).configure_network(name, subnet)
            with said_plainly():
                local_networks.announce(self._api, name)

    def remove_local_networks(self, beginning: str, but: Collection[str]) -> None:
        """Remove such networks that nothing uses and whose names begin so, except those of these names."""
        for node in self.up():
            self.on(node).forget_networks(beginning, but)

    def workloads(self, instance: str) -> list[Workload]:
        """Every service of the system, and containers of it that are on this machine without one."""
        machines = {machine.name: machine for machine in self.machines()}
        with said_plainly():
            label = {"label": f"{LABEL_INSTANCE}={instance}"}
            services = self._api.services(filters=label)
            tasks = self._api.tasks() if services else []
            before = containers.listed(self._api, instance)
        return [*(told.workload(service, tasks, machines) for service in services), *before]

    def create(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        """Make the volume if it is missing, lay the seed on it, and run the service until its task runs."""
        engine = self.on(spec.node)
        with said_plainly(), contextlib.ExitStack() as undo:
            image = self.image_id(spec.image)
            if not image:
                raise MailpodError(f"there is no image {spec.image}", "run: mailpod apply")
            if self._service(spec.name):
                raise MailpodError(f"there is a service {spec.name} already", "see: docker service ls")
            if engine.image_id(spec.image) != image:
                self.copy_images([spec.image], engine)
            if not engine.has_volume(spec.volume):
                made(undo, partial(engine.make_volume, spec), partial(engine.remove_volume, spec.volume))
            engine.lay(spec, seed)
            service = self._creation(spec, image)
            made(undo, partial(self._api.create_service, **service), partial(self.remove, spec.name))
            self._wait_until_runs(spec.name)
            undo.pop_all()

    def start(self, name: str) -> None:
        """Run a service that was halted."""
        with said_plainly():
            self._scale(name, 1)
        self._wait_until_runs(name)

    def halt(self, name: str) -> bytes:
        """End a service's container at once, whose log ends with it; nothing but `start` brings it up again."""
        self.kill(name)
        self.remove_container(name)
        with said_plainly():
            service = self._service(name)
            if not service:
                return b""
            said = b"".join(self.on(node).still(name) for node in self._nodes_of(service))
            self._scale(name, 0)
            for node in self._nodes_of(service):
                engine = self.on(node)
                for container in engine.containers_of(name):
                    engine.kill(container)
                engine.end_service(name)
                self._wait_until_ended(engine, name)
        return said

    def remove(self, name: str) -> None:
        """Stop and remove a service, and wait until nothing of it is left on a machine that is up."""
        self.remove_container(name)
        with said_plainly():
            service = self._service(name)
            if not service:
                return
            nodes = self._nodes_of(service)
            with contextlib.suppress(docker.errors.NotFound):
                self._api.remove_service(service["ID"])
            for node in nodes:
                engine = self.on(node)
                engine.end_service(name)
                self._wait_until_ended(engine, name)

    def volumes(self, instance: str) -> dict[str, Mapping[str, str]]:
        """Labels of the system's volumes by name, on all machines that are up."""
        found: dict[str, Mapping[str, str]] = {}
        for node in self.up():
            engine = self.on(node)
            found |= EngineApi.volumes(engine, instance)
        return found

    def volume_limit(self, name: str) -> int:
        """Bytes that a volume can hold by the limit it was made with."""
        return max(EngineApi.volume_limit(self.on(node), name) for node in self.up())

    def memory(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of memory each service's container uses now; 0 when it does not run or its machine does not answer."""
        wanted = set(names)
        with said_plainly():
            services = {item["ID"]: item["Spec"]["Name"] for item in self._api.services()}
            tasks = self._api.tasks(filters={"desired-state": "running"})
        nodes = {item["ID"]: item for item in self._api.nodes()}
        result = dict.fromkeys(wanted, 0)
        by_node: dict[str, dict[str, str]] = {}
        for task in tasks:
            name = services.get(task["ServiceID"])
            container = task["Status"].get("ContainerStatus", {}).get("ContainerID")
            if name in wanted and container and task["Status"]["State"] == "running":
                node = nodes[task["NodeID"]]["Description"]["Hostname"]
                by_node.setdefault(node, {})[container] = name
        for node, there in by_node.items():
            with contextlib.suppress(MailpodError):
                used = EngineApi.memory(self.on(node), there)
                result |= {there[container]: bytes_ for container, bytes_ in used.items()}
        return result

    def _service(self, name: str) -> dict[str, Any] | None:
        found = self._api.services(filters={"name": name})
        return next((item for item in found if item["Spec"]["Name"] == name), None)

    def _nodes_of(self, service: Mapping[str, Any]) -> list[str]:
        """The machines that are up and have, or may have, a container of a service."""
        pinned = told.pinned(service)
        return [node for node in self.up() if node == pinned]

    def _scale(self, name: str, replicas: int) -> None:
        service = self._service(name)
        if service is None:
            raise MailpodError(f"there is no service {name}", "run: mailpod apply")
        spec = service["Spec"]
        self._api.update_service(
            service["ID"],
            service["Version"]["Index"],
            task_template=spec["TaskTemplate"],
            name=name,
            labels=spec["Labels"],
            mode={"Replicated": {"Replicas": replicas}},
            endpoint_spec=spec["EndpointSpec"],
        )

    def _wait_until_ended(self, engine: EngineApi, service: str) -> None:
        until(lambda: not engine.containers_of(service), _END_SECONDS, f"{service} did not end", _SEE)

    def _wait_until_runs(self, name: str) -> None:
        """Wait for the one task that is made as the service says now."""

        def runs() -> bool:
            service = self._service(name)
            if service is None:
                raise MailpodError(f"the service {name} is gone", "run: mailpod apply")
            tasks = self._api.tasks(filters={"service": name})
            wanted = service["Spec"]["TaskTemplate"]["ContainerSpec"]
            now = [task for task in tasks if task["Spec"]["ContainerSpec"] == wanted and told.counts(task, service)]
            failed = [task for task in now if task["Status"]["State"] in told.FAILED]
            if failed:
                reason = failed[0]["Status"].get("Err") or failed[0]["Status"].get("Message", "")
                raise MailpodError(f"{name} does not start: {reason}", f"see: docker service logs {name}")
            others = [task for task in tasks if task not in now and task["DesiredState"] == "running"]
            return not others and any(task["Status"]["State"] == "running" for task in now)

        with said_plainly():
            until(runs, _START_SECONDS, f"{name} did not start", _SEE)

    def _creation(self, spec: WorkloadSpec, image: str) -> dict[str, Any]:
        types = docker.types
        labels = {**spec.labels, LABEL_SPEC: spec.digest(), LABEL_IMAGE: spec.image}
        mounts = [
            types.Mount(spec.mount, spec.volume, type="volume", no_copy=True),
            *(types.Mount(target, None, type="tmpfs") for target in spec.tmpfs),
        ]
        container = types.ContainerSpec(
            image,
            hostname=spec.hostname,
            env=[f"{name}={value}" for name, value in spec.environment.items()],
            labels=labels,
            mounts=mounts,
            stop_grace_period=_STOP_SECONDS * _SECOND,
            read_only=True,
            # Else it counts as started, and its name is known, only after its first check.
            healthcheck=types.Healthcheck(test=["NONE"]),
            dns_config=types.DNSConfig(nameservers=[spec.dns]) if spec.dns else None,
            cap_add=list(spec.capabilities),
            cap_drop=["ALL"],
        )
        resources = types.Resources(cpu_limit=round(spec.cpus * _SECOND), mem_limit=spec.memory)
        resources["Limits"]["Pids"] = spec.pids
        template = types.TaskTemplate(
            container,
            resources=resources,
            restart_policy=types.RestartPolicy(condition="any", delay=_SECOND),
            placement=types.Placement(constraints=[f"node.hostname=={spec.node or self.here()}"]),
            log_driver=types.DriverConfig("local", {"max-size": "5m", "max-file": "3"}),
            networks=[
                types.NetworkAttachmentConfig(spec.network, aliases=list(spec.aliases)),
                *([types.NetworkAttachmentConfig(spec.local_network)] if spec.local_network else []),
            ],
        )
        return {
            "task_template": template,
            "name": spec.name,
            "labels": labels,
            "mode": types.ServiceMode("replicated", replicas=1),
            # Stopped before it is started: two never write one mailbox.
            "update_config": types.UpdateConfig(order="stop-first"),
            "endpoint_spec": types.EndpointSpec(mode="dnsrr"),
        }
