"""The system that is measured: made with `./mailpod` alone, as an operator makes it."""

import contextlib
import json
import os
import random
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker.errors
from docker import DockerClient
from docker.models.containers import Container

from bench.clients import Imap, greeting

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = "bench.test"
PORTS = (25, 80, 143, 443, 465, 587, 993, 2222, 4190)
HOST = "127.0.0.1"
_PATIENCE = 30.0


class Failed(Exception):
    """Something that is measured did not do what it is measured at."""


@dataclass(frozen=True)
class Account:
    """An account, and how long it took to make.

    Attributes:
        returned: seconds until the command ended.
        answered: seconds until SMTP and SSH greeted and an IMAP login through main succeeded after that.
    """

    name: str
    address: str
    password: str
    ipv4: str
    returned: float
    answered: float


class System:
    """One instance with a state folder and ports of its own.

    Args:
        folder: made for this run; the state lies in it.
        resolver: address of the one it asks.

    Attributes:
        state: its state folder.
    """

    def __init__(self, engine: DockerClient, instance: str, folder: Path, resolver: str) -> None:
        self.engine = engine
        self.instance = instance
        self.port_base = _free_ports()
        self.accounts: dict[str, Account] = {}
        self.state = folder / instance
        self._resolver = resolver
        self._tls: ssl.SSLContext | None = None

    def port(self, number: int) -> int:
        """Where main's port `number` is published."""
        return self.port_base + number

    def arguments(self, *words: str) -> list[str]:
        """A command line for this instance."""
        return [str(ROOT / "mailpod"), "--state", str(self.state), "--instance", self.instance, *words]

    def command(self, *words: str, stdin: str = "") -> str:
        """Run the command line as a user does; what it wrote on standard output."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            self.arguments(*words), input=stdin, capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode != 0:
            raise Failed(f"mailpod {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def up_words(self) -> tuple[str, ...]:
        """The `up` of this system."""
        return "up", DOMAIN, "--bind", HOST, "--port-base", str(self.port_base), "--resolver", self._resolver

    def up(self) -> None:
        """Start it."""
        if self._tls is None:
            # The resolver that says no to everything signs nothing.
            (self.state / "trust").mkdir(parents=True)
            (self.state / "trust" / "anchors").touch()
            self.command(*self.up_words())
            self._tls = ssl.create_default_context(cadata=self.command("ca"))

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust in this system's authority."""
        if self._tls is None:
            raise Failed("the system is not up")
        return self._tls

    def create(self, name: str, *options: str) -> Account:
        """Make an account, and time it."""
        password = secrets.token_urlsafe(12)
        start = time.monotonic()
        out = self.command("account", "create", name, "--password-stdin", "--json", *options, stdin=f"{password}\n")
        returned = time.monotonic() - start
        made = json.loads(out)
        self._verify(name, password, made["ipv4"])
        answered = time.monotonic() - start
        account = Account(name, made["short_address"], password, made["ipv4"], returned, answered)
        self.accounts[name] = account
        return account

    def _verify(self, name: str, password: str, ipv4: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if greeting(ipv4, 587).startswith("220") and greeting(ipv4, 22).startswith("SSH-2.0"):
                    with self.imap(name, password):
                        return
            time.sleep(0.01)
        raise Failed(f"{name} was created and does not answer")

    def imap(self, name: str, password: str) -> Imap:
        """A logged-in IMAP session through main."""
        return Imap(HOST, self.port(993), name, password, self.tls, f"imap.{DOMAIN}")

    def ensure(self, count: int) -> list[Account]:
        """The first accounts of a common stock, made when missing."""
        self.up()
        names = [f"stock{number}" for number in range(count)]
        return [self.accounts.get(name) or self.create(name) for name in names]

    def delete(self, names: Iterable[str], at_once: int = 1) -> None:
        """Delete accounts with all they have."""
        doomed = list(names)
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda name: self.command("account", "delete", name, "--purge", "--yes"), doomed))
        for name in doomed:
            self.accounts.pop(name, None)

    def container(self, name: str) -> Container:
        """The container of an account, or of main."""
        return self.engine.containers.get(f"{self.instance}-{name}")

    def maildir(self, name: str) -> Path:
        """Where an account's new mail lies on this machine."""
        mounts = self.container(name).attrs["Mounts"]
        volume = next(mount["Source"] for mount in mounts if mount["Destination"] == "/data")
        return Path(volume) / "home/Maildir/new"


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _free_ports() -> int:
    while True:
        base = random.randrange(20000, 29000, 10)
        with contextlib.suppress(OSError):
            for number in PORTS:
                with socket.create_server((HOST, base + number)):
                    pass
            return base


def remove_everything(engine: DockerClient, labels: Iterable[str]) -> None:
    """Take away all containers, networks, volumes and images with one of these labels."""
    for label in labels:
        chosen: dict[str, str | list[str] | bool] = {"label": label}
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(_remove, engine.containers.list(all=True, filters=chosen, ignore_removed=True)))
        for network in engine.networks.list(filters={"label": label}):
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
        for volume in engine.volumes.list(filters={"label": label}):
            with contextlib.suppress(docker.errors.APIError):
                volume.remove(force=True)
        for image in engine.images.list(filters={"label": label}):
            with contextlib.suppress(docker.errors.APIError):
                image.remove(force=True)


def _remove(container: Container) -> None:
    with contextlib.suppress(docker.errors.APIError):
        container.remove(force=True, v=True)
