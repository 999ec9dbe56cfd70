"""Several machines of the test's own, each with an engine and an SSH server, on one network."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv6Network
from pathlib import Path

import docker
from tests.e2e.support.own_engine import OwnEngine, command, free_network


class Node(OwnEngine):
    """A machine with a name, whose engine's socket is where every machine has it.

    Args:
        number: of the machine in its cluster, from 1.
    """

    def __init__(self, folder: Path, cluster: "Cluster", number: int) -> None:
        super().__init__(folder)
        self.hostname = f"node{number}"
        self._switch = cluster.name
        self._host, self._length = cluster.machine, cluster.network.prefixlen
        self.address = str(cluster.network[number])
        self._address6, self._host6 = (str(cluster.network6[one]) for one in (number, 0xFFFF))
        # the second of the cluster's networks, and so on
        self.prefix = str(list(cluster.block6.subnets(new_prefix=64))[number])
        self._ssh: subprocess.Popen[bytes] | None = None
        self._holder: subprocess.Popen[bytes] | None = None
        self._folder = folder

    def _plug_in(self) -> None:
        """A cable to the cluster's switch, whose end there has the node's name."""
        cable = ("type", "veth", "peer", "name", "eth0", "netns", self.name)
        command("ip", "-netns", self._switch, "link", "add", self.hostname, *cable)
        command("ip", "-netns", self._switch, "link", "set", self.hostname, "master", "switch", "up")

    def plug(self, how: str) -> None:
        """Pull its cable (`down`), or put it back (`up`)."""
        command("ip", "-netns", self._switch, "link", "set", self.hostname, how)

    def power_off(self) -> None:
        """Let the machine die: in one moment all that runs on it is gone, and nobody hears from it."""
        containers = docker.DockerClient(base_url=self.url)
        running = [containers.api.inspect_container(one.id)["State"]["Pid"] for one in containers.containers.list()]
        containers.close()
        self.plug("down")
        self.end(signal.SIGKILL)
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def power_on(self) -> None:
        """Start it again."""
        self.plug("up")
        self.start()

    def make(self) -> None:
        """Its disk, its network, its name, and its own /run and root's folder."""
        super().make()
        command("ip", "-netns", self.name, "address", "add", f"{self._address6}/64", "dev", "eth0", "nodad")
        command("ip", "-netns", self.name, "route", "add", "default", "via", self._host6)
        command("ip", "route", "add", self.prefix, "via", self._address6)
        home = self._folder / "root"
        home.mkdir(mode=0o700)
        script = (
            f"hostname {self.hostname} && mount --make-rprivate / && mount --bind {home} /root"
            " && echo ready && exec sleep infinity"
        )
        self._holder = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--uts", "--mount", "sh", "-c", script],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout
        with self._holder.stdout as said:
            assert said.readline() == b"ready\n"
        inside = str(self._holder.pid)
        self._within = ("nsenter", "--target", inside, "--net", "--uts")
        self._within_mounts = ("nsenter", "--target", inside, "--net", "--uts", "--mount")

    def start(self) -> None:
        """Start its engine, and put the socket where the node's own programs look for it."""
        super().start()
        # The socket that was there before it was started again.
        subprocess.run([*self._within_mounts, "umount", "/run/docker.sock"], capture_output=True, check=False)
        command(*self._within_mounts, "mount", "--bind", self.url.removeprefix("unix://"), "/run/docker.sock")

    def start_ssh(self, authorized: str) -> None:
        """An SSH server with a key of its own, which finds the node's engine where every engine is."""
        (self._folder / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        (self._folder / "root/.ssh/authorized_keys").write_text(authorized)
        key = self._folder / "host_key"
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        configuration = self._folder / "sshd_config"
        configuration.write_text(f"HostKey {key}\nPidFile none\nPermitRootLogin prohibit-password\nUsePAM no\n")
        Path("/run/sshd").mkdir(exist_ok=True)
        self._ssh = subprocess.Popen([*self._within_mounts, "/usr/sbin/sshd", "-D", "-e", "-f", str(configuration)])

    def set_up_anew(self, authorized: str) -> None:
        """Give it another SSH host key, as a new installation does."""
        assert self._ssh
        self._ssh.kill()
        self._ssh.wait(10)
        self.start_ssh(authorized)

    def remove(self) -> None:
        """Take it away with all it holds."""
        for process in (self._ssh, self._holder):
            if process:
                process.kill()
                process.wait(10)
        super().remove()


class Cluster:
    """Machines on one network, with the images of a system on the first."""

    def __init__(self, folder: Path) -> None:
        self.name = f"mpt{secrets.token_hex(3)}"
        self.network = free_network(secrets.choice(("198.51.100.0/24", "203.0.113.0/24")), 28)  # RFC 5737
        self.machine = str(self.network[14])
        self.block6 = IPv6Network(((0x20010DB8 << 96) | (secrets.randbits(24) << 72), 56))  # RFC 3849
        self.network6 = next(self.block6.subnets(new_prefix=64))
        self.key = folder / "operator_key"
        self._folder = folder
        self.nodes: list[Node] = []

    def make(self, count: int) -> None:
        """The network and so many machines, running."""
        # In a namespace of its own, where no packet filter of the machine's has a say.
        command("ip", "netns", "add", self.name)
        command("ip", "-netns", self.name, "link", "add", "switch", "type", "bridge")
        command("ip", "link", "add", self.name, "type", "veth", "peer", "name", "machine", "netns", self.name)
        command("ip", "-netns", self.name, "link", "set", "machine", "master", "switch", "up")
        command("ip", "-netns", self.name, "link", "set", "switch", "up")
        command("ip", "addr", "add", f"{self.machine}/28", "dev", self.name)
        command("ip", "address", "add", f"{self.network6[0xFFFF]}/64", "dev", self.name, "nodad")
        command("ip", "link", "set", self.name, "up")
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        authorized = self.key.with_suffix(".pub").read_text()
        for number in range(1, count + 1):
            folder = self._folder / f"node{number}"
            folder.mkdir()
            node = Node(folder, self, number)
            self.nodes.append(node)
            node.make()
            node.start()
            node.start_ssh(authorized)

    def open_to_containers(self) -> None:
        """Let packets through to containers of this machine's own engine, which play the outside."""
        command("iptables", "--insert", "DOCKER-USER", "--in-interface", self.name, "--jump", "ACCEPT")

    def remove(self) -> None:
        """Take everything away, whatever one machine makes of it."""
        rule = ("--in-interface", self.name, "--jump", "ACCEPT")
        subprocess.run(["iptables", "--delete", "DOCKER-USER", *rule], capture_output=True, check=False)
        with ExitStack() as stack:
            for words in (("netns", "del", self.name), ("link", "del", self.name)):
                stack.callback(subprocess.run, ["ip", *words], capture_output=True, check=False)
            for node in self.nodes:
                stack.callback(node.remove)


@contextmanager
def cluster(folder: Path, count: int, images: list[str]) -> Iterator[Cluster]:
    """A cluster whose first machine has these images."""
    made = Cluster(folder)
    with ExitStack() as stack:
        stack.callback(made.remove)
        made.make(count)
        made.nodes[0].take(*images)
        yield made
