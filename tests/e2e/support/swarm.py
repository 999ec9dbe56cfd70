"""A system on several machines, which are a Swarm or become one."""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import APIError
from docker.models.containers import Container
from tests.e2e.support.cli import Cli
from tests.e2e.support.cluster import Cluster, Node, cluster
from tests.e2e.support.engine import LABEL_ACCOUNT, Engine
from tests.e2e.support.names import resolving
from tests.e2e.support.system import BASE_IMAGE, Account, System
from tests.e2e.support.world import World

from mailpod.engine.docker import DockerEngine
from mailpod.model.records import DEFAULT_STACK, EngineKind
from mailpod.model.spec import LABEL_ROLE
from mailpod.services.images import ACCOUNT, DNS, MAIN, Image, ensure_images

DOMAIN = "guild.test"


class SwarmSystem(System):
    """It on the first machine of a cluster, its accounts on all of them.

    Args:
        machines: the cluster, whose engines are no Swarm yet.
        kind: the engine that it starts on.
    """

    def __init__(
        self, machines: Cluster, cli: Cli, engine: Engine, world: World, folder: Path, kind: EngineKind
    ) -> None:
        super().__init__(DOMAIN, cli, engine, world, folder, machines.nodes[0].address, DEFAULT_STACK)
        self.port_base = 0
        self._kind = kind
        self.cluster = machines
        self._clients = {node.hostname: docker.DockerClient(base_url=node.url) for node in machines.nodes}

    def up(self) -> None:
        """Deploy it, and add the other machines to a Swarm."""
        self.world.trust(self.cli.state)
        self.cli.ok("up", self.domain, "--engine", self._kind, "--resolver", self.world.address, seconds=300)
        self.authority.write_text(self.cli.ok("ca").out)
        self.world.start()
        self.wait_until_up()
        if self._kind == "swarm":
            for node in self.cluster.nodes[1:]:
                self.add(node)

    def add(self, node: Node) -> None:
        """Let a machine join."""
        self.cli.ok("node", "add", f"root@{node.address}", "--ssh-key", str(self.cluster.key))

    def close(self) -> None:
        """Close the connections to the machines' engines."""
        for client in (*self._clients.values(), self.engine):
            client.close()

    def apply(self) -> None:
        """Converge."""
        self.cli.ok("apply")

    @property
    def main(self) -> Container:
        """The one that runs: the Swarm keeps some of those before it."""
        return self._of("main")

    @property
    def nameserver(self) -> Container:
        """The name server's, likewise."""
        return self._of("dns")

    def _of(self, role: str) -> Container:
        [found] = [
            one for one in self.engine.containers() if one.labels.get(LABEL_ROLE) == role and one.status == "running"
        ]
        return found

    def node_of(self, account: Account) -> Node:
        """The machine an account is on, as the desired state says."""
        name = self.shown(account)["node"]
        return next(node for node in self.cluster.nodes if node.hostname == name)

    def containers(self, account: Account) -> list[tuple[str, Container]]:
        """Every container of an account that runs, with the name of its machine, on the machines that are up."""
        found = []
        for node in self.cluster.nodes:
            if node.runs:
                client = self._clients[node.hostname]
                label = f"{LABEL_ACCOUNT}={account.name}"
                found += [(node.hostname, one) for one in client.containers.list(filters={"label": label})]
        return found

    def on(self, machine: str) -> docker.DockerClient:
        """The engine of the machine of that name."""
        return self._clients[machine]

    def states(self) -> dict[str, str]:
        """The machines' states by name."""
        return {one["name"]: one["state"] for one in self.cli.ok("node", "list", "--json").json()}

    def volumes_of(self, account: Account) -> list[str]:
        """Names of the machines that are up and have a volume of an account's."""
        label = f"{LABEL_ACCOUNT}={account.name}"
        up = [node.hostname for node in self.cluster.nodes if node.runs]
        return [name for name in up if self._clients[name].volumes.list(filters={"label": label})]

    def helpers(self) -> list[str]:
        """Containers of a moment that are there, with the names of their machines."""
        label = f"{LABEL_ROLE}=helper"
        up = [node.hostname for node in self.cluster.nodes if node.runs]
        return [name for name in up for _ in self._clients[name].containers.list(all=True, filters={"label": label})]

    def container(self, account: Account) -> Container:
        """An account's one container."""
        [(_, found)] = self.containers(account)
        return found


@contextmanager
def running_swarm(
    folder: Path, count: int = 3, kind: EngineKind = "swarm", more: Sequence[Image] = ()
) -> Iterator[SwarmSystem]:
    """A system on machines of the test's own, or, on one engine, on the first; nothing of them is left afterwards.

    Args:
        more: images that its first machine has beside the usual ones.
    """
    images = [MAIN, DNS, ACCOUNT[DEFAULT_STACK], *more]
    local = DockerEngine()
    ensure_images(local, lambda _line: None, images)
    local._client.close()
    instance = f"mpt{secrets.token_hex(3)}"
    # The outside is on the machine's own engine.
    outside = Engine(f"{instance}-world")
    try:
        with cluster(folder, count, [*(image.tag for image in images), BASE_IMAGE]) as machines:
            first = machines.nodes[0]
            engine = Engine(instance, first.url)
            cli = Cli(folder / "state", instance, {"DOCKER_HOST": first.url}, first.place.within)
            world = World(outside, DOMAIN, BASE_IMAGE, first.address)
            world.make_network()
            machines.open_to_containers()
            system = SwarmSystem(machines, cli, engine, world, folder, kind)
            with resolving(DOMAIN, first.address):
                try:
                    system.up()
                except BaseException as error:
                    with suppress(APIError):
                        error.add_note(system.logs())
                    raise
                try:
                    yield system
                finally:
                    system.close()
    finally:
        outside.remove_everything()
        outside.close()
        shutil.rmtree(folder, ignore_errors=True)
