"""Docker Engine, through its API."""

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import docker.errors
import docker.types

from mailpod.engine import compose, containers, services
from mailpod.engine.api import EngineApi, said_plainly
from mailpod.engine.carrier import Carrier
from mailpod.engine.logs import LogReader
from mailpod.engine.making import made
from mailpod.engine.port import Progress
from mailpod.model.archive import File, tar
from mailpod.model.errors import MailpodError
from mailpod.model.spec import LABEL_SPEC, Machine, Workload, WorkloadSpec

# "unless-stopped" leaves down what died with an engine that was killed.
_RESTARTED: Any = {"Name": "always"}
_LEFT_DOWN: Any = {"Name": "no"}


class DockerEngine(Carrier, LogReader, EngineApi):
    """Containers on one Docker Engine."""

    def on(self, node: str) -> EngineApi:  # noqa: ARG002
        """It is the only one."""
        return self

    def up(self) -> list[str]:
        """The one machine."""
        return [""]

    def spread_images(self, tags: Iterable[str], progress: Progress) -> None:
        """Nothing is to be done: there is one machine."""

    def encrypts(self, image: str) -> bool:  # noqa: ARG002
        """Nothing: there is one machine."""
        return False

    def machines(self) -> list[Machine]:
        """The one machine."""
        with said_plainly():
            info = self._client.info()
        return [Machine("", "ready", "", "manager", info["ServerVersion"], info["MemTotal"], here=True)]

    def join(self) -> tuple[str, str]:
        """No machine joins one Docker Engine."""
        raise MailpodError("this engine is one machine", "see: mailpod engine migrate swarm")

    def change_token(self) -> None:
        """There is none."""

    def set_available(self, node: str, *, available: bool) -> None:
        """There is no other machine."""

    def remove_machine(self, node: str) -> None:
        """There is no other machine."""

    def deploy_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Make main run as the Compose files say."""
        compose.check(self.info().version)
        compose.up(compose_files, environment)

    def remove_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Stop and remove main and the networks, and what the system had on a Swarm."""
        with said_plainly():
            services.remove_all(self._api, environment["MAILPOD_INSTANCE"])
        compose.down(compose_files, environment)

    def ensure_local_network(self, name: str, node: str, subnet: str) -> None:
        """Nothing is to be done: every network is the machine's own."""

    def remove_local_networks(self, beginning: str, but: Collection[str]) -> None:
        """Nothing is to be done."""

    def workloads(self, instance: str) -> list[Workload]:
        """Every container of the system, and services that are left of it."""
        with said_plainly():
            return [*containers.listed(self._api, instance), *services.listed(self._api, instance)]

    def create(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        """Make the volume if it is missing, lay the seed on it, and start the container."""
        with said_plainly(), contextlib.ExitStack() as undo:
            if not self.has_volume(spec.volume):
                made(undo, partial(self.make_volume, spec), partial(self.remove_volume, spec.volume))
            create = partial(self._client.api.create_container, **self._creation(spec))
            container = made(undo, create, partial(self.remove, spec.name))
            self._client.api.put_archive(container["Id"], spec.mount, tar(seed))
            self._client.api.start(container["Id"])
            undo.pop_all()

    def start(self, name: str) -> None:
        """Start a container that stopped or was paused."""
        with said_plainly():
            if self._client.api.inspect_container(name)["State"]["Paused"]:
                self._client.api.unpause(name)
            else:
                self._client.api.update_container(name, restart_policy=_RESTARTED)
                self._client.api.start(name)

    def halt(self, name: str) -> bytes:
        """End a container at once; nothing but `start` brings it up again."""
        with said_plainly(), contextlib.suppress(docker.errors.NotFound):
            services.remove(self._api, name)
            # First: an engine that is started again starts what it stopped.
            self._client.api.update_container(name, restart_policy=_LEFT_DOWN)
            self._client.api.stop(name, timeout=0)
        return b""

    def remove(self, name: str) -> None:
        """Stop and remove a container."""
        with said_plainly():
            services.remove(self._api, name)
        self.remove_container(name)

    def _creation(self, spec: WorkloadSpec) -> dict[str, Any]:
        api = self._client.api
        host = api.create_host_config(
            mounts=[docker.types.Mount(spec.mount, spec.volume, type="volume", no_copy=True)],
            read_only=True,
            tmpfs=dict(spec.tmpfs),
            cap_drop=["ALL"],
            cap_add=list(spec.capabilities),
            security_opt=["no-new-privileges"],
            pids_limit=spec.pids,
            nano_cpus=round(spec.cpus * 1e9),
            cpu_shares=spec.cpu_weight,
            mem_limit=spec.memory,
            # Without this a container may use as much swap again as its memory.
            memswap_limit=spec.memory,
            restart_policy=_RESTARTED,
            network_mode=spec.network,
            dns=[spec.dns] if spec.dns else None,
            log_config=docker.types.LogConfig(type="local", config={"max-size": "5m", "max-file": "3"}),
            # In gateway mode "routed" there is no port of the host's; its address says which family is meant.
            port_bindings=dict.fromkeys(spec.open_ports, ("::",)),
        )
        endpoint = api.create_endpoint_config(aliases=list(spec.aliases), ipv6_address=spec.ipv6 or None)
        return {
            "image": spec.image,
            "name": spec.name,
            "hostname": spec.hostname,
            "environment": dict(spec.environment),
            "labels": {**spec.labels, LABEL_SPEC: spec.digest()},
            "ports": list(spec.open_ports),
            "host_config": host,
            "networking_config": {"EndpointsConfig": {spec.network: endpoint}},
        }
