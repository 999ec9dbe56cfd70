"""What one Docker Engine does through its API, alone or as a machine of a Swarm."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests

from mailpod.engine import containers, founding, helpers, local_networks
from mailpod.engine.port import Progress
from mailpod.model.archive import File, tar
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, EngineInfo, Network, WorkloadSpec

# 1.41 is Docker Engine 20.10, the oldest in a supported Debian.
_OLDEST_API = (1, 41)
_TIMEOUT = 120
_AT_ONCE = 32
_PULL_SILENCE = 25
_CHUNK = 1024 * 1024
# What an overlay network that is encrypted asks of the kernel (libnetwork, drivers/overlay/encryption.go).
_ENCRYPT = (
    *("ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "1"),
    *("mode", "transport", "aead", "rfc4106(gcm(aes))", f"0x{'00' * 20}", "64"),
)
# "quota size requested but no quota support"
_NO_LIMIT = "no quota support"
# "unable to remove repository reference … container … is using its referenced image"
_IN_USE = 409


@contextlib.contextmanager
def said_plainly() -> Iterator[None]:
    """Turn the SDK's exceptions into ours."""
    try:
        yield
    except docker.errors.APIError as error:
        reason = " ".join(str(error.explanation or error).split())
        raise MailpodError(f"the engine refused: {reason}", "see: mailpod status") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineUnreachable("no container engine answers", "start Docker, or run: mailpod up DOMAIN") from error


class EngineApi:
    """A Docker Engine.

    Args:
        url: of its API; without one, that which `DOCKER_HOST` names, else the local one.
    """

    kind = "docker"

    def __init__(self, url: str = "") -> None:
        self._url = url
        with said_plainly():
            self._client = _client(url, timeout=_TIMEOUT)
        # The types of its low-level calls are not complete.
        self._api: Any = self._client.api

    @property
    def client(self) -> Any:  # noqa: ANN401  (its types are not complete)
        """The SDK's low-level client, for what is done to one container at a time."""
        return self._api

    def info(self) -> EngineInfo:
        """Kind and version of the engine."""
        with said_plainly():
            answer = self._client.version()
        info = EngineInfo(self.kind, answer["Version"], answer["ApiVersion"])
        if tuple(map(int, info.api.split("."))) < _OLDEST_API:
            raise EngineUnreachable(
                f"Docker Engine {info.version} is too old: its API is {info.api}",
                "install Docker Engine 20.10 or newer",
            )
        return info

    def found_swarm(self, advertise: str) -> bool:
        """Make this machine a Swarm of one."""
        with said_plainly():
            return founding.found(self._api, advertise)

    def leave_swarm(self) -> None:
        """Give up the Swarm that was founded."""
        with said_plainly():
            founding.leave(self._api)

    def has_image(self, tag: str) -> bool:
        """Whether an image of this name is there."""
        with said_plainly():
            try:
                self._client.images.get(tag)
            except docker.errors.ImageNotFound:
                return False
            return True

    def pull_image(self, reference: str) -> bool:
        """Fetch an image from a registry; False when none answers, or none sends anything for a while."""
        patient = _client(self._url, timeout=_PULL_SILENCE)
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
        with said_plainly(), archive.open("rb") as file:
            self._client.api.import_image_from_data(file, repository=repository, tag=name)

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""
        repository, _, name = tag.rpartition(":")
        with said_plainly():
            self._client.images.get(reference).tag(repository, name)

    def remove_image(self, tag: str) -> None:
        """Remove an image; the engine keeps one that a container is of."""
        with said_plainly(), contextlib.suppress(docker.errors.ImageNotFound):
            try:
                self._api.remove_image(tag)
            except docker.errors.APIError as error:
                if error.status_code != _IN_USE:
                    raise

    def build_image(
        self, context: Path, tag: str, target: str, arguments: Mapping[str, str], progress: Progress
    ) -> None:
        """Build `target` of the Dockerfile in `context`."""
        with said_plainly():
            output = self._client.api.build(
                path=str(context), tag=tag, target=target or None, buildargs=dict(arguments), rm=True, decode=True
            )
            for item in output:
                if "error" in item:
                    raise MailpodError(f"building {tag} failed: {item['error'].strip()}", "try again, or report it")
                if line := item.get("stream", "").strip():
                    progress(line)

    def networks(self) -> list[Network]:
        """Every network of the engine that has addresses."""
        with said_plainly():
            found = self._client.api.networks()
        return [_network(item) for item in found if item["IPAM"]["Config"]]

    def remove_network(self, name: str) -> None:
        """Remove a network that nothing is on."""
        with said_plainly(), contextlib.suppress(docker.errors.NotFound):
            self._api.remove_network(name)

    def configure_network(self, name: str, subnet: str) -> None:
        """This machine's part of a network that each machine has for itself."""
        with said_plainly():
            local_networks.configure(self._api, name, subnet)

    def forget_networks(self, beginning: str, but: Collection[str]) -> None:
        """Remove such networks, and this machine's parts of them, whose names begin so, except those of these names."""
        with said_plainly():
            local_networks.remove(self._api, beginning, but)

    def volumes(self, instance: str) -> dict[str, Mapping[str, str]]:
        """Labels of the system's volumes by name."""
        with said_plainly():
            found = self._client.volumes.list(filters={"label": f"{LABEL_INSTANCE}={instance}"})
        return {volume.name: volume.attrs["Labels"] for volume in found}

    def volume_limit(self, name: str) -> int:
        """Bytes that a volume can hold by the limit it was made with."""
        with said_plainly():
            try:
                found = self._client.api.inspect_volume(name)
            except docker.errors.NotFound:
                return 0
        return int((found["Options"] or {}).get("size", 0))

    def remove_volume(self, name: str) -> None:
        """Destroy a volume of this machine; nothing happens when it is not there."""
        with said_plainly(), contextlib.suppress(docker.errors.NotFound):
            self._client.api.remove_volume(name)

    def has_volume(self, name: str) -> bool:
        """Whether there is a volume of this name."""
        try:
            self._client.api.inspect_volume(name)
        except docker.errors.NotFound:
            return False
        return True

    def lay(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        """Write the seed on a volume, through a container that never runs."""
        # By these it is found and removed when whoever made it was killed: it would keep the volume for good.
        labels = {name: spec.labels[name] for name in (LABEL_INSTANCE, LABEL_ID)} | {LABEL_ROLE: helpers.ROLE}
        mounts = [docker.types.Mount(spec.mount, spec.volume, type="volume", no_copy=True)]
        host = self._client.api.create_host_config(mounts=mounts)
        made = self._client.api.create_container(spec.image, host_config=host, labels=labels)
        try:
            self._client.api.put_archive(made["Id"], spec.mount, tar(seed))
        finally:
            self._client.api.remove_container(made["Id"], force=True)

    def image_id(self, tag: str) -> str:
        """The digest of an image's configuration: the same wherever the same image is; empty when it is not there."""
        with said_plainly():
            try:
                found: str = self._api.inspect_image(tag)["Id"]
            except docker.errors.ImageNotFound:
                return ""
        return found

    def copy_images(self, tags: Iterable[str], to: "EngineApi") -> None:
        """Carry images over to another engine; what they have in common is carried once."""
        api = self._api
        with (
            said_plainly(),
            api.get(f"{api.base_url}/images/get", params={"names": list(tags)}, stream=True) as archive,
        ):
            archive.raise_for_status()
            to.load_images(archive.iter_content(_CHUNK))

    def load_images(self, archive: Iterator[bytes]) -> None:
        """Take images out of an archive of another engine's."""
        with said_plainly():
            for line in self._api.load_image(archive):
                if "error" in line:
                    raise MailpodError(f"an image was not taken: {line['error']}", "see that the disk has room")

    def can_encrypt(self, image: str) -> bool:
        """Whether this machine's kernel can encrypt packets; a container of `image`, which has ip(8), tries."""
        with said_plainly():
            host = self._api.create_host_config(network_mode="none", cap_drop=["ALL"], cap_add=["NET_ADMIN"])
            made = self._api.create_container(image, entrypoint=list(_ENCRYPT), command=[], host_config=host)
            try:
                self._api.start(made["Id"])
                return bool(self._api.wait(made["Id"])["StatusCode"] == 0)
            finally:
                self._api.remove_container(made["Id"], force=True, v=True)

    def containers_of(self, service: str) -> list[str]:
        """Ids of a service's containers on this machine, running or not."""
        with said_plainly():
            found = self._client.api.containers(all=True, filters={"label": f"{containers.TASK_OF}={service}"})
        return [item["Id"] for item in found]

    def still(self, service: str) -> bytes:
        """Let what a service has here do nothing any more; returns what it has said, a line with its time each."""
        said = b""
        for container in self.containers_of(service):
            with contextlib.suppress(docker.errors.APIError):
                self._api.pause(container)
            said += self._api.logs(container, timestamps=True)
        return said

    def end_service(self, service: str) -> None:
        """Stop and remove what a service that is not to run has here; the Swarm itself takes some seconds longer."""
        for container in self.containers_of(service):
            self.remove_container(container)

    def remove_container(self, container: str) -> None:
        """Stop and remove a container; nothing happens when it is not there."""
        with said_plainly():
            containers.remove(self._api, container)

    def kill(self, container: str) -> None:
        """End a container at once; nothing happens when it does not run."""
        with said_plainly(), contextlib.suppress(docker.errors.APIError):
            self._client.api.kill(container)

    def make_volume(self, spec: WorkloadSpec) -> None:
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

    def labelled(self, account: str, own: Collection[str], others: Collection[str]) -> list[str]:
        """What carries an account's label, and these volumes but not those, the kind before each name."""
        wanted = {"label": f"{LABEL_ID}={account}"}
        with said_plainly():
            volumes = {one["Name"] for one in self._api.volumes(filters=wanted)["Volumes"] or ()}
            volumes |= {name for name in own if self.has_volume(name)}
            return [
                *(f"container {one['Id'][:12]}" for one in self._api.containers(all=True, filters=wanted)),
                *(f"volume {name}" for name in sorted(volumes - set(others))),
                *(f"image {one['Id']}" for one in self._api.images(all=True, filters=wanted)),
            ]

    def memory(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of memory each container uses now, without page cache."""
        # The engine may take a second for each answer, and a client of the SDK is for one thread.
        wanted = list(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(
                zip(wanted, pool.map(partial(_memory, self._url, self._client.api.api_version), wanted), strict=True)
            )


def _client(url: str, timeout: int, api: str = "auto") -> docker.DockerClient:
    if url:
        return docker.DockerClient(url, version=api, timeout=timeout)
    return docker.from_env(version=api, timeout=timeout)


def _memory(url: str, api: str, name: str) -> int:
    with said_plainly(), contextlib.closing(_client(url, _TIMEOUT, api)) as client:
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
        encrypted="encrypted" in item["Options"],
        instance=(item["Labels"] or {}).get(LABEL_INSTANCE, ""),
    )
