"""Docker Engine, through its API."""

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests

from mailpod.engine import compose
from mailpod.engine.port import Progress
from mailpod.model.archive import File, tar
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_INSTANCE, LABEL_SPEC, EngineInfo, Network, Workload, WorkloadSpec

# 1.41 is Docker Engine 20.10, the oldest in a supported Debian.
_OLDEST_API = (1, 41)
_TIMEOUT = 120
_AT_ONCE = 32
_STOP_SECONDS = 10
# "unless-stopped" leaves down what died with an engine that was killed.
_RESTARTED: Any = {"Name": "always"}
_LEFT_DOWN: Any = {"Name": "no"}
_PULL_SILENCE = 25
# "quota size requested but no quota support"
_NO_LIMIT = "no quota support"
# "removal of container … is already in progress"
_ALREADY_AT_IT = 409


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn the SDK's exceptions into ours."""
    try:
        yield
    except docker.errors.APIError as error:
        reason = " ".join(str(error.explanation or error).split())
        raise MailpodError(f"the engine refused: {reason}", "see: mailpod status") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineUnreachable("no container engine answers", "start Docker, or run: mailpod up DOMAIN") from error


class DockerEngine:
    """Containers on one Docker Engine: the one `DOCKER_HOST` names, else the local one."""

    def __init__(self) -> None:
        with _said_plainly():
            self._client = docker.from_env(version="auto", timeout=_TIMEOUT)

    def info(self) -> EngineInfo:
        """Kind and version of the engine."""
        with _said_plainly():
            answer = self._client.version()
        info = EngineInfo("docker", answer["Version"], answer["ApiVersion"])
        if tuple(map(int, info.api.split("."))) < _OLDEST_API:
            raise EngineUnreachable(
                f"Docker Engine {info.version} is too old: its API is {info.api}",
                "install Docker Engine 20.10 or newer",
            )
        return info

    def has_image(self, tag: str) -> bool:
        """Whether an image of this name is there."""
        with _said_plainly():
            try:
                self._client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
            return True

    def pull_image(self, reference: str) -> bool:
        """Fetch an image from a registry; False when none answers, or none sends anything for a while."""
        patient = docker.from_env(version="auto", timeout=_PULL_SILENCE)
        try:
            repository, _, tag = reference.rpartition(":")
            for item in patient.api.pull(repository, tag, stream=True, decode=True):
                if "error" in item:
                    return False
        except (docker.errors.DockerException, requests.RequestException):
            return False
        finally:
            patient.close()
        return True

    def import_image(self, archive: Path, tag: str) -> None:
        """Make an image of one layer from the tar of a root file system."""
        repository, _, name = tag.rpartition(":")
        with _said_plainly(), archive.open("rb") as file:
            self._client.api.import_image_from_data(file, repository=repository, tag=name)

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        repository, _, name = tag.rpartition(":")
        with _said_plainly():
            self._client.images.get(reference).tag(repository, name)

    def build_image(
        self, context: Path, tag: str, target: str, arguments: Mapping[str, str], progress: Progress
    ) -> None:
        """Build `target` of the Dockerfile in `context`."""
        with _said_plainly():
            output = self._client.api.build(
                path=str(context), tag=tag, target=target or None, buildargs=dict(arguments), rm=True, decode=True
            )
            for item in output:
                if "error" in item:
                    raise MailpodError(f"building {tag} failed: {item['error'].strip()}", "try again, or report it")
                if line := item.get("stream", "").strip():
                    progress(line)

    def deploy_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Make main run as the Compose files say."""
        compose.up(compose_files, environment)

    def remove_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Stop and remove main and the network."""
        compose.down(compose_files, environment)

    def networks(self) -> list[Network]:
        """Every network of the engine that has addresses."""
        with _said_plainly():
            found = self._client.api.networks()
        return [_network(item) for item in found if item["IPAM"]["Config"]]

    def workloads(self, instance: str) -> list[Workload]:
        """Every container of the system."""
        with _said_plainly():
            found = self._client.api.containers(all=True, filters={"label": f"{LABEL_INSTANCE}={instance}"})
        return [_workload(item, instance) for item in found]

    def create(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        """Make the volume if it is missing, lay the seed on it, and start the container."""
        with _said_plainly(), contextlib.ExitStack() as undo:
            if not self._has_volume(spec.volume):
                self._make_volume(spec)
                undo.callback(self.remove_volume, spec.volume)
            container = self._client.api.create_container(**self._creation(spec))
            undo.callback(self.remove, spec.name)
            self._client.api.put_archive(container["Id"], spec.mount, tar(seed))
            self._client.api.start(container["Id"])
            undo.pop_all()

    def start(self, name: str) -> None:
        """Start a container that stopped or was paused."""
        with _said_plainly():
            if self._client.api.inspect_container(name)["State"]["Paused"]:
                self._client.api.unpause(name)
            else:
                self._client.api.update_container(name, restart_policy=_RESTARTED)
                self._client.api.start(name)

    def halt(self, name: str) -> None:
        """End a container at once; nothing but `start` brings it up again."""
        with _said_plainly(), contextlib.suppress(docker.errors.NotFound):
            # First: an engine that is started again starts what it stopped.
            self._client.api.update_container(name, restart_policy=_LEFT_DOWN)
            self._client.api.stop(name, timeout=0)

    def remove(self, name: str) -> None:
        """Stop and remove a container."""
        with _said_plainly(), contextlib.suppress(docker.errors.NotFound):
            self._client.api.stop(name, timeout=_STOP_SECONDS)
            try:
                self._client.api.remove_container(name, force=True)
            except docker.errors.APIError as error:
                if error.status_code != _ALREADY_AT_IT:
                    raise
            self._wait_until_gone(name)

    def volumes(self, instance: str) -> dict[str, Mapping[str, str]]:
        """Labels of the system's volumes by name."""
        with _said_plainly():
            found = self._client.volumes.list(filters={"label": f"{LABEL_INSTANCE}={instance}"})
        return {volume.name: volume.attrs["Labels"] for volume in found}

    def volume_limit(self, name: str) -> int:
        """Bytes that a volume can hold by the limit it was made with."""
        with _said_plainly():
            try:
                found = self._client.api.inspect_volume(name)
            except docker.errors.NotFound:
                return 0
        return int((found["Options"] or {}).get("size", 0))

    def remove_volume(self, name: str) -> None:
        """Destroy a volume."""
        with _said_plainly(), contextlib.suppress(docker.errors.NotFound):
            self._client.api.remove_volume(name)

    def memory(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of memory each container uses now, without page cache."""
        # The engine may take a second for each answer, and a client of the SDK is for one thread.
        wanted = list(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(wanted, pool.map(partial(_memory, self._client.api.api_version), wanted), strict=True))

    def _wait_until_gone(self, name: str) -> None:
        """The engine answers a removal before it frees the name."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self._client.api.inspect_container(name)
            except docker.errors.NotFound:
                return
            time.sleep(0.02)
        raise MailpodError(f"the engine did not remove {name} within 30 s", "try again")

    def _make_volume(self, spec: WorkloadSpec) -> None:
        """The local driver limits a volume where its file system has project quotas, and refuses to do so elsewhere."""
        labels, limit = dict(spec.labels), {"size": str(spec.disk)}
        if spec.disk:
            try:
                self._client.volumes.create(spec.volume, driver_opts=limit, labels=labels)
            except docker.errors.APIError as error:
                if _NO_LIMIT not in str(error.explanation):
                    raise
            else:
                return
        self._client.volumes.create(spec.volume, labels=labels)

    def _has_volume(self, name: str) -> bool:
        try:
            self._client.api.inspect_volume(name)
        except docker.errors.NotFound:
            return False
        return True

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


def _memory(api: str, name: str) -> int:
    with _said_plainly(), contextlib.closing(docker.from_env(version=api, timeout=_TIMEOUT)) as client:
        try:
            usage = client.api.stats(name, stream=False, one_shot=True)["memory_stats"]
        except docker.errors.NotFound:
            return 0
    details = usage.get("stats", {})
    # The names of control groups version 1 and 2.
    cache: int = details.get("total_inactive_file", details.get("inactive_file", 0))
    used: int = usage.get("usage", 0)
    return max(0, used - cache)


def _network(item: Mapping[str, Any]) -> Network:
    return Network(
        name=item["Name"],
        subnets=tuple(config["Subnet"] for config in item["IPAM"]["Config"]),
        routed=item["Options"].get("com.docker.network.bridge.gateway_mode_ipv6") == "routed",
    )


def _workload(item: Mapping[str, Any], instance: str) -> Workload:
    own = re.compile(rf"{re.escape(instance)}(-net\d+)?")
    networks = sorted(item["NetworkSettings"]["Networks"].items())
    network: Mapping[str, Any] = next((one for name, one in networks if own.fullmatch(name)), {})
    return Workload(
        name=item["Names"][0].removeprefix("/"),
        state=item["State"] if item["State"] in {"running", "restarting", "created"} else "stopped",
        health=_health(item["Status"]) if item["State"] == "running" else "",
        image=item["Image"],
        labels=item["Labels"],
        ipv4=network.get("IPAddress", ""),
        ipv6=network.get("GlobalIPv6Address", ""),
    )


def _health(words: str) -> str:
    """The health, which a listing has only in words such as `Up 3 minutes (healthy)`."""
    for mark, health in (
        ("(unhealthy)", "unhealthy"),
        ("(healthy)", "healthy"),
        ("(health: starting)", "starting"),
    ):
        if mark in words:
            return health
    return ""
