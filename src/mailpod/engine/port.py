"""The protocol every engine implements; nothing above it knows which engine it is."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mailpod.model.archive import File
from mailpod.model.depot import Depot
from mailpod.model.spec import EngineInfo, Machine, Network, Workload, WorkloadSpec

Progress = Callable[[str], None]


class Engine(Protocol):
    """An engine that runs one system's containers.

    Every method raises `EngineUnreachable` when nothing answers and `MailpodError` with the engine's
    own words when it refuses.
    """

    def info(self) -> EngineInfo:
        """Kind and version; raises `EngineUnreachable` when it is too old."""

    def has_image(self, tag: str) -> bool:
        """Whether an image of this name is there."""

    def pull_image(self, reference: str) -> bool:
        """Fetch an image from a registry; False when no registry answers."""

    def import_image(self, archive: Path, tag: str) -> None:
        """Make an image of one layer from the tar of a root file system."""

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""

    def remove_image(self, tag: str) -> None:
        """Remove an image on every machine that is up, unless it is not there or something is on it."""

    def build_image(
        self, context: Path, tag: str, target: str, arguments: Mapping[str, str], progress: Progress
    ) -> None:
        """Build `target` of the Dockerfile in `context`; each line of output goes to `progress`."""

    def spread_images(self, tags: Iterable[str], progress: Progress) -> None:
        """Give every machine that is up the images of these names, the same to the byte.

        Raises:
            MailpodError: one of them does not take it.
        """

    def found_swarm(self, advertise: str) -> bool:
        """Make the machine a Swarm of one, which it manages; False when it manages one already.

        Args:
            advertise: its address for other machines; empty when it has one only.

        Raises:
            MailpodError: it is the worker of a Swarm, or has several addresses.
        """

    def leave_swarm(self) -> None:
        """Let the machine give up the Swarm of which it is the only one, with all that runs in it; volumes stay."""

    def encrypts(self, image: str) -> bool:
        """Whether it could encrypt what goes from one of its machines to another.

        Args:
            image: tag of an image that has ip(8), which every machine has.
        """

    def machines(self) -> list[Machine]:
        """The machines it runs containers on, by name."""

    def up(self) -> list[str]:
        """Names of the machines that are up and can be reached."""

    def join(self) -> tuple[str, str]:
        """The token with which one more machine joins, and whom it asks (`ADDRESS:PORT`)."""

    def change_token(self) -> None:
        """Let that token be worth nothing any more, and another one be it."""

    def set_available(self, node: str, *, available: bool) -> None:
        """Let the engine put something on a machine, or nothing any more, and end what is there."""

    def remove_machine(self, node: str) -> None:
        """Let a machine leave; one that is down is given up."""

    def deploy_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Make main run as the Compose files say, with `environment` for their variables."""

    def remove_main(self, compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Stop and remove main and the networks, and all that another engine left of the system; volumes stay."""

    def networks(self) -> list[Network]:
        """Every network of the engine that has addresses, whosever it is."""

    def ensure_local_network(self, name: str, node: str, subnet: str) -> None:
        """Give a machine a network of its own; nothing happens while it is down.

        Args:
            name: of the network, which no other machine has.
            subnet: of IPv6.
        """

    def remove_local_networks(self, beginning: str, but: Collection[str]) -> None:
        """Remove such networks whose names begin so, except those of these names."""

    def workloads(self, instance: str) -> list[Workload]:
        """Every container of the system, main included, also those that another engine left on this machine.

        They have `ipv6` where the system's network has addresses of this family: a Swarm's has none.
        """

    def create(self, spec: WorkloadSpec, seed: Iterable[File]) -> None:
        """Make the volume if it is missing, lay the seed on it, and start the container.

        On failure the container is removed again, and the volume if this call made it.
        """

    def start(self, name: str) -> None:
        """Start a stopped container, and let it come up again by itself; nothing happens when it runs."""

    def halt(self, name: str) -> bytes:
        """End a container at once, without warning to what runs in it. Nothing but `start` brings it up again.

        It stays there with its log, but not on a Swarm; nothing happens when it is not there.

        Returns:
            What it has said, where the engine does not keep that.
        """

    def remove(self, name: str) -> None:
        """Stop and remove a container; nothing happens when it is not there."""

    def volumes(self, instance: str) -> dict[str, Mapping[str, str]]:
        """Labels of the system's volumes by name."""

    def volume_limit(self, name: str) -> int:
        """Bytes that a volume can hold by the limit it was made with; 0 when it has none or is not there."""

    def remove_volumes(self, instance: str) -> None:
        """Destroy every volume of the system, on all machines that are up."""

    def logs(self, name: str, node: str, since: datetime | None = None, last: int | None = None) -> Iterator[bytes]:
        """What a container has said, a line each with its time before it (RFC 3339, UTC); nothing when it is not there.

        On a Swarm, what all its containers have said that the machine still has.

        Args:
            node: the machine it is on.
            last: how many lines at most, the newest.
        """

    def follow(self, name: str, node: str, last: int | None = None) -> Iterator[bytes]:
        """The last lines that a container has said, as `logs` gives them, then each as it is said, until it ends."""

    def memory(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of memory each container uses now, without page cache; 0 when it is not running."""

    def holds(self, spec: WorkloadSpec) -> bool:
        """Whether the volume of `spec` is on the machine of `spec`. Raises `EngineUnreachable` when that is down."""

    def discard(self, spec: WorkloadSpec) -> None:
        """Destroy the volume of `spec` on the machine of `spec` alone; nothing happens when it is not there."""

    def size(self, spec: WorkloadSpec) -> int:
        """Bytes that the files on the volume of `spec` take."""

    def room(self, spec: WorkloadSpec) -> int:
        """Bytes that are free for volumes on the machine of `spec`."""

    def copy_volume(
        self, source: WorkloadSpec, target: WorkloadSpec, told: Callable[[int], None], *, at_rest: bool
    ) -> int:
        """Make the volume on the target's machine the same as that on the source's, and on disk when this returns.

        Args:
            source: what is only read.
            target: made when it is missing; what it has and the source does not is removed.
            told: how many bytes have been carried so far.
            at_rest: nothing changes the source meanwhile. Else what changes may be missing, or be as it was.

        Returns:
            How many bytes were carried.
        """

    def pack_volume(self, spec: WorkloadSpec) -> Iterator[bytes]:
        """The tree of a volume as a tar in pieces, which ends with 1024 zeros."""

    def snapshot_home(self, spec: WorkloadSpec) -> Iterator[bytes]:
        """The home on a volume that may be in use, as a tar in pieces whose members begin with `home/`.

        Its messages are those of one moment, each once, whatever is delivered, moved or marked meanwhile. What servers
        make anew by themselves is left out.
        """

    def unpack_volume(self, spec: WorkloadSpec, archive: Iterable[bytes]) -> None:
        """Make a volume of the tree in a tar, or lay it on one that is there; it is on disk when this returns."""

    def read_files(self, spec: WorkloadSpec, paths: Iterable[str]) -> dict[str, bytes]:
        """Files on a volume, by their path below its mount point.

        Args:
            paths: of files, or of folders, of which all files are read. What is not there is left out.
        """

    def queued(self, spec: WorkloadSpec) -> list[File]:
        """The messages that wait on an account's volume at rest, by their path in Postfix's queue."""

    def mend_owners(self, spec: WorkloadSpec) -> None:
        """Give every file on an account's volume back to the user of the account that it belongs to."""

    def remove_network(self, name: str) -> None:
        """Remove a network that nothing is on; nothing happens when it is not there."""

    def at_depot(self, depot: Depot, words: Sequence[str], given: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Run a verb of `images/backup/repository` beside a repository.

        Args:
            given: its standard input.

        Returns:
            What it writes to standard output, in pieces.

        Raises:
            DepotError: it failed.
        """

    def back_up(self, spec: WorkloadSpec, depot: Depot, folder: str, told: Callable[[int], None]) -> bytes:
        """Put what lies in a folder of a volume into a repository, whole or not at all.

        Args:
            folder: as a container sees it that has the volume at its mount point.
            told: how many bytes have been carried so far.

        Returns:
            What restic(1) said, JSON a line, the last of which sums up.

        Raises:
            DepotError: it failed.
        """

    def helpers(self, instance: str) -> set[str]:
        """Ids of the accounts whose volumes the calls above work on, or did when they were cut short."""

    def remove_helpers(self, instance: str, account: str) -> None:
        """End those calls for one account, and remove what they have left; volumes stay."""

    def traces(self, account: str, own: Collection[str], others: Collection[str]) -> list[str]:
        """Containers, volumes and images that are labelled with an account's id, on all machines that are up.

        Args:
            own: names of volumes that are its as well, whatever their labels say.
            others: names of volumes that are another's, whatever their labels say.
        """
