"""What containers have said, wherever they are."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import docker.errors

from mailpod.engine.api import EngineApi, said_plainly


class LogReader(ABC):
    """Reads the logs of containers; a Swarm's through the engine of the machine that they are on."""

    @abstractmethod
    def on(self, node: str) -> EngineApi:
        """The engine of one machine; raises `EngineUnreachable` when it does not answer."""

    def logs(self, name: str, node: str, since: datetime | None = None, last: int | None = None) -> Iterator[bytes]:
        """The lines of a container, or of all that the machine still has of a service."""
        with said_plainly():
            engine = self.on(node)
            lines = [line for one in _containers(engine, name) for line in _read(engine.client, one, since, last)]
        yield from lines if last is None else lines[max(0, len(lines) - last) :]

    def follow(self, name: str, node: str, last: int | None = None) -> Iterator[bytes]:
        """The last lines of the newest container, then each as it comes."""
        with said_plainly(), contextlib.suppress(docker.errors.NotFound):
            engine = self.on(node)
            yield from _stream(engine.client, _containers(engine, name)[-1], last)


def _containers(engine: EngineApi, name: str) -> list[str]:
    """Oldest first; a listing has the newest first."""
    return [*reversed(engine.containers_of(name))] or [name]


def _read(api: Any, container: str, since: datetime | None, last: int | None) -> list[bytes]:  # noqa: ANN401
    # As a whole: cut into lines by the SDK, it takes many times as long.
    since_when = since.timestamp() if since else None
    with contextlib.suppress(docker.errors.NotFound):
        said: bytes = api.logs(container, timestamps=True, since=since_when, tail="all" if last is None else last)
        return said.splitlines()
    return []


def _stream(api: Any, container: str, last: int | None) -> Iterator[bytes]:  # noqa: ANN401
    rest = b""
    tail = "all" if last is None else last
    with contextlib.closing(api.logs(container, timestamps=True, stream=True, follow=True, tail=tail)) as pieces:
        for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
