"""A look at the engine past the command line: what is there, what it logged, and taking it away."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

LABEL_INSTANCE = "mailpod.instance"
LABEL_ROLE = "mailpod.role"
LABEL_ACCOUNT = "mailpod.account"


class Engine:
    """The engine, seen through one instance's objects.

    Args:
        instance: prefix and label of everything this run makes.
        url: address of the engine; the usual one when empty.
    """

    def __init__(self, instance: str, url: str = "") -> None:
        self.instance = instance
        self._url = url
        self.connect()

    def connect(self) -> None:
        """Open the connection to the engine."""
        self.client = docker.DockerClient(base_url=self._url) if self._url else docker.from_env()

    def containers(self) -> list[Container]:
        """Every container of this run, running or not."""
        return [c for c in self.client.containers.list(all=True, ignore_removed=True) if self._ours(c.name)]

    def volumes(self) -> set[str]:
        """Names of this run's volumes."""
        return {str(v.name) for v in self.client.volumes.list() if self._ours(v.name)}

    def networks(self) -> set[str]:
        """Names of this run's networks."""
        return {str(n.name) for n in self.client.networks.list() if self._ours(n.name)}

    def objects(self) -> set[str]:
        """Names of everything this run has on the engine."""
        return {str(c.name) for c in self.containers()} | self.volumes() | self.networks()

    def main(self) -> Container:
        """The main system's container."""
        return self._one(LABEL_ROLE, "main")

    def account(self, name: str) -> Container:
        """An account's container."""
        return self._one(LABEL_ACCOUNT, name)

    def _one(self, label: str, value: str) -> Container:
        found = [c for c in self.containers() if c.labels.get(label) == value]
        assert len(found) == 1, f"{len(found)} containers with {label}={value}"
        return found[0]

    def _ours(self, name: str | None) -> bool:
        return bool(name) and (
            name == self.instance or str(name).startswith((f"{self.instance}-", f"{self.instance}_"))
        )

    def logs(self, tail: int = 80) -> str:
        """The last lines that every container of this run wrote."""
        parts = []
        for container in self.containers():
            with suppress(APIError):
                text = container.logs(tail=tail).decode(errors="replace")
                parts.append(f"===== {container.name} ({container.status})\n{text}")
        return "\n".join(parts)

    def remove_everything(self) -> None:
        """Take away whatever carries the instance's name or label."""
        for container in self.containers():
            with suppress(NotFound):
                container.remove(force=True, v=True)
        for network in self.client.networks.list():
            if self._ours(network.name):
                with suppress(NotFound):
                    network.remove()
        for volume in self.client.volumes.list():
            if self._ours(volume.name):
                with suppress(NotFound):
                    volume.remove(force=True)

    def close(self) -> None:
        """Close the connection to the engine."""
        self.client.close()


def execute(container: Container, *command: str, user: str = "") -> tuple[int, str]:
    """Run a command in a container: its exit code and all it wrote."""
    code, output = container.exec_run(list(command), user=user)
    assert isinstance(output, bytes)
    return int(code or 0), output.decode(errors="replace")


def put_file(container: Container, folder: str, name: str, content: bytes, mode: int = 0o644) -> None:
    """Lay a file into a container."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        tar.addfile(member, io.BytesIO(content))
    assert container.put_archive(folder, archive.getvalue())


def get_files(container: Container, path: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every regular file at or below `path` of a container."""
    chunks, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        for member in tar.getmembers():
            if content := tar.extractfile(member):
                yield member.name, content.read()


def facts(container: Container) -> dict[str, Any]:
    """What `docker inspect` tells now."""
    container.reload()
    return dict(container.attrs)
