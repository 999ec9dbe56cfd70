"""What mailpod is compared with: a bare container, and one container with Postfix and Dovecot."""

import contextlib
import hashlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker.errors
from docker import DockerClient
from docker.models.containers import Container

from bench.clients import Imap, greeting
from bench.system import HOST, Failed, free_port
from mailpod.engine.docker import DockerEngine
from mailpod.host.base_image import ensure_base_image

BASE = "mailpod/base:trixie"
_FOLDER = Path(__file__).parent / "baseline"
_MAILBOXES = 100


def ensure_images(engine: DockerClient) -> str:
    """The tag of the baseline's image, built when it is missing, and the base below it."""
    ensure_base_image(DockerEngine(), BASE, print)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_FOLDER.iterdir()))).hexdigest()
    tag = f"mailpod/bench-baseline:{digest[:12]}"
    try:
        engine.images.get(tag)
    except docker.errors.ImageNotFound:
        print(f"building {tag}")
        engine.images.build(path=str(_FOLDER), tag=tag, buildargs={"BASE": BASE}, rm=True)
    return tag


def bare_run(label: str) -> float:
    """Seconds that `docker run -d` of the base image takes; the container is removed again."""
    start = time.monotonic()
    done = subprocess.run(
        ["docker", "run", "-d", "--label", label, BASE, "sleep", "infinity"], capture_output=True, text=True, check=True
    )
    taken = time.monotonic() - start
    subprocess.run(["docker", "rm", "-f", done.stdout.strip()], capture_output=True, check=True)
    return taken


class Peer:
    """The one container with Postfix and Dovecot, with a hundred mailboxes."""

    def __init__(self, container: Container) -> None:
        self.container = container
        ports = container.attrs["NetworkSettings"]["Ports"]
        self.smtp = int(ports["25/tcp"][0]["HostPort"])
        self._imap = int(ports["143/tcp"][0]["HostPort"])
        mounts = container.attrs["Mounts"]
        self._mail = Path(next(mount["Source"] for mount in mounts if mount["Destination"] == "/var/mail"))
        self._used = 0

    def fresh(self) -> tuple[str, Path]:
        """Address of a mailbox that was not used before, and where its new mail will lie on this machine."""
        name = f"u{self._used}"
        self._used += 1
        if self._used > _MAILBOXES:
            raise Failed("the baseline has no more mailboxes")
        return f"{name}@baseline.test", self._mail / name / "Maildir/new"

    def imap(self, address: str) -> Imap:
        """A logged-in IMAP session."""
        return Imap(HOST, self._imap, address, "baseline")


@contextlib.contextmanager
def peer(engine: DockerClient, image: str, label: str) -> Iterator[Peer]:
    """The baseline's container, while it is needed."""
    key, _, value = label.partition("=")
    container = engine.containers.run(
        image,
        detach=True,
        labels={key: value},
        dns=[HOST],
        ports={"25/tcp": (HOST, free_port()), "143/tcp": (HOST, free_port())},
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            container.reload()
            with contextlib.suppress(OSError, KeyError, TypeError, IndexError):
                one = Peer(container)
                if greeting(HOST, one.smtp).startswith("220"):
                    break
            time.sleep(0.05)
        else:
            raise Failed("the baseline did not start")
        yield one
    finally:
        container.remove(force=True, v=True)


@contextlib.contextmanager
def tools(engine: DockerClient, image: str, label: str) -> Iterator[Container]:
    """A container on the host's network, for the load generator in the baseline's image."""
    key, _, value = label.partition("=")
    container = engine.containers.run(
        image, ["sleep", "infinity"], detach=True, labels={key: value}, network_mode="host", init=True
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)
