"""A container engine of the test's own: on a disk, in a network namespace and with a life of its own."""

import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

import docker
from tests.e2e.support.system import Place
from tests.e2e.support.wait import until


def command(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def free_network(block: str, length: int) -> IPv4Network:
    """A part of a block, with prefixes so long, of which this machine has no address yet."""
    there = {
        IPv4Address(one["local"])
        for link in json.loads(command("ip", "-json", "-4", "address"))
        for one in link["addr_info"]
    }
    parts = IPv4Network(block).subnets(new_prefix=length)
    return secrets.choice([part for part in parts if not any(address in part for address in there)])


# The programs and libraries of another Debian in the place of this machine's, for what is started there alone.
_PROGRAMS_OF = """
mount --bind "$1/etc/alternatives" /etc/alternatives
mount --bind "$1/usr" /usr
shift
exec "$@"
"""


class OwnEngine:
    """A second dockerd beside the machine's own.

    Args:
        gigabytes: size of the disk that holds its images, containers and volumes.
        root: root file system of the Debian whose Docker it is to be; this machine's own without one.
    """

    def __init__(self, folder: Path, gigabytes: int = 4, root: Path | None = None) -> None:
        self.name = f"mpt{secrets.token_hex(3)}"
        # Unix sockets have short paths (unix(7)), shorter than pytest's folders.
        self._run = Path("/run") / self.name
        self._disk = folder / "disk"
        self._image = folder / "disk.img"
        self._log = folder / "dockerd.log"
        self._gigabytes = gigabytes
        self._filler = self._disk / "filler"
        self._process: subprocess.Popen[bytes] | None = None
        network = free_network("192.0.2.0/24", 30)  # RFC 5737
        self._host, self.address, self._length = str(network[1]), str(network[2]), 30
        self.url = f"unix://{self._run}/docker.sock"
        # RFC 3849: the network of its eth0 and the machine; accounts get a part of it.
        self._neighbours = IPv6Network(((0x20010DB8 << 96) | (secrets.randbits(32) << 64), 64))
        self._within: tuple[str, ...] = ("nsenter", f"--net=/run/netns/{self.name}")
        apart = ("unshare", "--mount", "--propagation", "private", "sh", "-euc", _PROGRAMS_OF, "sh")
        self._programs = (*apart, str(root)) if root else ()
        self._configuration = self._run / "docker"

    @property
    def place(self) -> Place:
        """Where it is, for a system on it."""
        configuration = str(self._configuration) if self._programs else ""
        return Place(self.address, self.url, self._within, configuration, f"{self._neighbours[3 << 48]}/80")

    def make(self) -> None:
        """Its disk and its network."""
        self._run.mkdir()
        self._lay_plugin()
        self._disk.mkdir(parents=True)
        command("truncate", "--size", f"{self._gigabytes}G", str(self._image))
        command("mkfs.ext4", "-q", "-m", "0", str(self._image))
        command("mount", "-o", "loop", str(self._image), str(self._disk))
        command("ip", "netns", "add", self.name)
        self._plug_in()
        for words in (
            ("addr", "add", f"{self.address}/{self._length}", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", self._host),
        ):
            self.ip(*words)

    def _lay_plugin(self) -> None:
        """Let the docker command find the other Debian's Compose: this machine's may be too old for that engine."""
        plugin = self._configuration / "cli-plugins/docker-compose"
        plugin.parent.mkdir(parents=True)
        words = shlex.join([*self._programs, "/usr/libexec/docker/cli-plugins/docker-compose"])
        plugin.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        plugin.chmod(0o755)

    def ip(self, *words: str) -> str:
        """Run ip(8) in its network."""
        return command("ip", "-netns", self.name, *words)

    def _plug_in(self) -> None:
        """A cable from its eth0 to the machine."""
        command("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        command("ip", "addr", "add", f"{self._host}/{self._length}", "dev", self.name)
        command("ip", "addr", "add", f"{self._neighbours[1]}/64", "dev", self.name, "nodad")
        self.ip("addr", "add", f"{self._neighbours[2]}/64", "dev", "eth0", "nodad")
        command("ip", "link", "set", self.name, "up")

    def start(self) -> None:
        """Start it and wait until it answers."""
        # The machine's own may have a configuration; dockerd refuses what is said there and here.
        configuration = self._run / "daemon.json"
        configuration.write_text("{}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*self._within, *self._programs, "dockerd", "--config-file", str(configuration)),
                    *("--data-root", str(self._disk / "docker"), "--exec-root", str(self._run / "x")),
                    *("--pidfile", str(self._run / "pid"), "--host", self.url, "--userland-proxy=false"),
                    *("--containerd-namespace", self.name, "--containerd-plugins-namespace", f"{self.name}-plugins"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, f"the test's own engine:\n{self._log.read_text()[-2000:]}", 60)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(self.url.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return connection.recv(1000).startswith(b"HTTP/1.0 200")

    @property
    def runs(self) -> bool:
        """Whether it has been started, and not ended."""
        return self._process is not None

    def end(self, how: signal.Signals) -> None:
        """End it and wait until it is gone."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None
        # Its containerd died with it. Where nobody reaps that process, the next dockerd takes it for alive (kill(2)).
        (self._run / "x/containerd/containerd.pid").unlink(missing_ok=True)

    @property
    def within_all(self) -> tuple[str, ...]:
        """Words before a command that run it there, where it finds the engine at the usual place."""
        script = f'mount --bind {self.url.removeprefix("unix://")} /run/docker.sock && exec "$@"'
        return (*self._within, "unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh")

    def answer_for(self, *addresses: str) -> None:
        """Let it answer for addresses on the network between it and the machine."""
        command(*self._within, "sysctl", "-qw", "net.ipv6.conf.eth0.proxy_ndp=1")
        for address in addresses:
            self.ip("-6", "neighbour", "add", "proxy", address, "dev", "eth0")

    def take(self, *images: str) -> None:
        """Copy images from the machine's own engine."""
        here, there = docker.from_env(), docker.DockerClient(base_url=self.url, timeout=300)
        # All at once: what they have in common is carried over once.
        with here.api.get(f"{here.api.base_url}/images/get", params={"names": images}, stream=True) as archive:
            archive.raise_for_status()
            there.images.load(archive.iter_content(1024 * 1024))
        here.close()
        there.close()

    def fill_disk(self) -> None:
        """Leave not one byte free."""
        with self._filler.open("wb", buffering=0) as filler:
            room = os.statvfs(self._disk)
            os.posix_fallocate(filler.fileno(), 0, room.f_bavail * room.f_frsize * 99 // 100)
            try:
                while filler.write(bytes(4096)):
                    continue
            except OSError:
                return

    def free_disk(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take it away with all it holds."""
        self.free_disk()
        self.end(signal.SIGTERM)
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["ip", "link", "del", self.name], capture_output=True, check=False)
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        below = [line.split()[1] for line in mounts if line.split()[1].startswith((str(self._run), str(self._disk)))]
        for mount in sorted(below, reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self._run, ignore_errors=True)
        self._image.unlink(missing_ok=True)


@contextmanager
def own_engine(folder: Path, images: list[str], root: Path | None = None) -> Iterator[OwnEngine]:
    """An engine that has these images, running; of another Debian's Docker if `root` is its root file system."""
    engine = OwnEngine(folder, root=root)
    try:
        engine.make()
        engine.start()
        engine.take(*images)
        yield engine
    finally:
        engine.remove()
