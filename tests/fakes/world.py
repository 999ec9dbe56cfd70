"""What is there for a fake engine: containers, volumes, networks, images, machines."""

import dataclasses
from dataclasses import dataclass, field

from mailpod.model.archive import File
from mailpod.model.spec import Machine, Network, WorkloadSpec


@dataclass
class Volume:
    """What survives: labels, and files by path."""

    labels: dict[str, str]
    limit: int = 0
    files: dict[str, File] = field(default_factory=dict)


@dataclass
class Container:
    """One container; `seen` is what lay on its volume when it started, `kind` the engine that made it."""

    image: str
    labels: dict[str, str]
    volume: str
    network: str
    node: str = ""
    memory: int = 0
    state: str = "created"
    comes_up: bool = True
    health: str = ""
    output: list[str] = field(default_factory=list)
    kind: str = "fake"
    seen: dict[str, File] = field(default_factory=dict)


_ONE = Machine("machine", "ready", "", "manager", "1", 8 << 30, here=True)


@dataclass
class World:
    """Everything that is there whoever looks at it, and stays when the process that made it dies."""

    containers: dict[str, Container] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    broken_images: set[str] = field(default_factory=set)
    """Images whose containers do not start."""
    ignorant_images: set[str] = field(default_factory=set)
    """Images of a main that cannot check accounts."""
    reachable: bool = True
    registry: bool = False
    limits_volumes: bool = False
    encrypts: bool = False
    """Every machine's kernel can encrypt packets."""
    machines: list[Machine] = field(default_factory=lambda: [_ONE])
    swarm: str = ""
    """What the machine is in a Swarm: `manager` or `worker`; empty when it is in none."""
    room: int = 1 << 40
    zones: dict[str, dict[tuple[str, str], frozenset[str]]] = field(default_factory=dict)
    """By the name server's container, what it serves."""
    public: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """What resolvers find of a zone that is served elsewhere."""
    strangers: set[str] = field(default_factory=set)
    """Ids of accounts that have a file of another user's on their volume."""
    resolver: bytes = b"verified\n"
    """What main prints of its resolver."""
    depots: dict = field(default_factory=dict)
    """Repositories of backups, by the folder they are in and their path."""
    sent: list[str] = field(default_factory=list)
    """Messages that an account has taken over from the queue of another volume, and sends."""
    helpers: list[str] = field(default_factory=list)
    """Of accounts whose volumes are being worked on, the ids."""

    def key(self, volume: str, node: str) -> str:
        """What a machine's volume is called in `volumes`."""
        return volume if node in {"", self.machines[0].name} else f"{volume}@{node}"

    @property
    def nodes(self) -> dict[str, str]:
        """The machines' states by name."""
        return {machine.name: machine.state for machine in self.machines}

    def say(self, node: str, state: str) -> None:
        """Let a machine be in another state."""
        self.machines = [dataclasses.replace(one, state=state) if one.name == node else one for one in self.machines]

    def up(self) -> list[str]:
        """Names of the machines that are up."""
        return [name for name, state in self.nodes.items() if state != "down"]

    def add_volume(self, key: str, spec: WorkloadSpec) -> Volume:
        """Make an empty volume, if it is not there."""
        return self.volumes.setdefault(key, Volume(dict(spec.labels), spec.disk if self.limits_volumes else 0))

    def restart(self) -> None:
        """The machine is started again, and what comes up by itself with it."""
        for container in self.containers.values():
            if container.state != "created":
                container.state = "running" if container.comes_up else "exited"
