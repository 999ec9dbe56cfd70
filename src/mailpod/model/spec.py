"""What the control plane asks of an engine and what the engine answers, in no engine's own words."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

LABEL_INSTANCE = "mailpod.instance"
LABEL_ROLE = "mailpod.role"
LABEL_ACCOUNT = "mailpod.account"
LABEL_ID = "mailpod.id"
LABEL_SPEC = "mailpod.spec"
LABEL_IMAGE = "mailpod.image"

_GUARDS_IPV6 = 27


@dataclass(frozen=True)
class WorkloadSpec:
    """One account's container, whatever the engine.

    Attributes:
        name: unique on the engine; the container's name.
        aliases: names under which others on `network` find it.
        ipv6: its address on `network`.
        local_network: one more, of its own machine's, where it gives itself an address of that machine's IPv6 prefix.
        open_ports: those which the engine is to let through to that address, if it lets none through by itself.
        volume: named volume mounted at `mount`; made when missing, never removed with the workload.
        memory: limit in bytes. `pids`: limit of processes. `cpus`: limit of processors kept busy.
        cpu_weight: its part of a processor that several want, beside 1024 for what has none said.
        disk: limit of the volume in bytes, where the engine's file system can have one; 0 for none. It is set when the
            volume is made, and stays.
        tmpfs: mount point to mount options.
        dns: address of the resolver, empty for the engine's own.
        labels: those of the workload and of its volume.
        node: the machine it runs on, where its volume is; empty for an engine's only one.
    """

    name: str
    image: str
    hostname: str
    network: str
    aliases: tuple[str, ...]
    volume: str
    mount: str
    memory: int
    pids: int
    cpus: float
    cpu_weight: int
    capabilities: tuple[str, ...]
    tmpfs: Mapping[str, str]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    dns: str = ""
    ipv6: str = ""
    open_ports: tuple[int, ...] = ()
    disk: int = 0
    node: str = ""
    local_network: str = ""

    def digest(self) -> str:
        """A short hash that changes whenever a running workload would have to be made anew."""
        fields = {name: value for name, value in asdict(self).items() if name != "disk"}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Workload:
    """A container as the engine sees it.

    Attributes:
        state: `running`, `restarting`, `stopped`, `created` when it never ran, or `unreachable` while its machine is
            down.
        health: `healthy`, `unhealthy`, `starting` (not yet known), or empty when it has no health check.
        ipv4, ipv6: addresses on the system's network; empty while it is not running.
        node: the machine it is on; empty for an engine's only one.
        since: from when on it is unreachable (ISO 8601).
    """

    name: str
    state: str
    health: str
    image: str
    labels: Mapping[str, str]
    ipv4: str = ""
    ipv6: str = ""
    node: str = ""
    since: str = ""

    @property
    def status(self) -> str:
        """State and health in one word: `running`, `unhealthy`, `restarting`, `unreachable` or `stopped`."""
        return "unhealthy" if self.health == "unhealthy" else self.state

    @property
    def runs(self) -> bool:
        """Whether it does anything, or is about to."""
        return self.state in {"running", "restarting"}

    @property
    def spec(self) -> str:
        """The `WorkloadSpec.digest` it was made from; empty when it carries none."""
        return self.labels.get(LABEL_SPEC, "")


@dataclass(frozen=True)
class Network:
    """A network as the engine sees it.

    Attributes:
        subnets: of both families.
        routed: IPv6 packets go through it as they are, if this engine knows of such a thing.
        encrypted: packets between machines are encrypted.
        instance: the system whose it is, by its label; empty when it has none.
    """

    name: str
    subnets: tuple[str, ...]
    routed: bool
    encrypted: bool = False
    instance: str = ""


@dataclass(frozen=True)
class Machine:
    """One of the machines that an engine runs containers on.

    Attributes:
        state: `ready`, `drained` (nothing new is put there) or `down`.
        since: when that was last told (ISO 8601).
        role: `manager` or `worker`.
        version: of its engine.
        memory: bytes it has in all.
        here: it is the one whose engine was asked.
        id: what the engine calls it.
    """

    name: str
    state: str
    since: str
    role: str
    version: str
    memory: int
    here: bool = False
    id: str = ""


@dataclass(frozen=True)
class EngineInfo:
    """What answers: its kind, version and API version, e.g. `docker`, `20.10.24`, `1.41`."""

    kind: str
    version: str
    api: str

    @property
    def guards_ipv6(self) -> bool:
        """Whether a port can be reached at a container's own IPv6 address only when it was published.

        Docker Engine forwards freely before version 27 (release notes of 27.0, "ip6tables is now enabled by default").
        """
        return int(self.version.split(".")[0]) >= _GUARDS_IPV6
