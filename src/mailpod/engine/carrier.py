"""What an engine does with the volumes of accounts, wherever they are, beside having containers use them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from mailpod.engine import depots, helpers
from mailpod.engine.api import EngineApi, said_plainly
from mailpod.model.archive import File
from mailpod.model.depot import Depot
from mailpod.model.errors import MailpodError
from mailpod.model.spec import WorkloadSpec


class Carrier(ABC):
    """Looks into volumes and carries them from machine to machine: a specification names one volume on one machine."""

    @abstractmethod
    def on(self, node: str) -> EngineApi:
        """The engine of one machine; raises `EngineUnreachable` when it does not answer."""

    @abstractmethod
    def up(self) -> list[str]:
        """Names of the machines that are up and can be reached."""

    def holds(self, spec: WorkloadSpec) -> bool:
        """Whether the volume is on that machine."""
        with said_plainly():
            return self.on(spec.node).has_volume(spec.volume)

    def discard(self, spec: WorkloadSpec) -> None:
        """Destroy the volume on that machine alone."""
        self.on(spec.node).remove_volume(spec.volume)

    def remove_volumes(self, instance: str) -> None:
        """Destroy every volume of the system."""
        for node in self.up():
            engine = self.on(node)
            for volume in EngineApi.volumes(engine, instance):
                engine.remove_volume(volume)

    def size(self, spec: WorkloadSpec) -> int:
        """Bytes that the files of the volume take."""
        with said_plainly():
            return helpers.size(self._ready(spec).client, spec)

    def room(self, spec: WorkloadSpec) -> int:
        """Bytes that are free where that machine has its volumes."""
        with said_plainly():
            return helpers.room(self._ready(spec).client, spec)

    def copy_volume(
        self, source: WorkloadSpec, target: WorkloadSpec, told: Callable[[int], None], *, at_rest: bool
    ) -> int:
        """Make a volume of another machine the same as this one, and itself if it is missing."""
        with said_plainly():
            here, there = self._ready(source), self._ready(target)
            if not here.has_volume(source.volume):
                raise MailpodError(f"there is no volume {source.volume} on {source.node}", "see: docker volume ls")
            if not there.has_volume(target.volume):
                there.make_volume(target)
            return helpers.copy(here.client, source, there.client, target, told, at_rest=at_rest)

    def pack_volume(self, spec: WorkloadSpec) -> Iterator[bytes]:
        """The tree of the volume as a tar."""
        with said_plainly():
            yield from helpers.pack(self._ready(spec).client, spec)

    def snapshot_home(self, spec: WorkloadSpec) -> Iterator[bytes]:
        """The account's home as it is at one moment, as a tar."""
        with said_plainly():
            yield from helpers.snapshot(self._ready(spec).client, spec)

    def unpack_volume(self, spec: WorkloadSpec, archive: Iterable[bytes]) -> None:
        """Make the volume of the tree in a tar."""
        with said_plainly():
            engine = self._ready(spec)
            engine.make_volume(spec)
            helpers.unpack(engine.client, spec, archive)

    def read_files(self, spec: WorkloadSpec, paths: Iterable[str]) -> dict[str, bytes]:
        """Files on the volume."""
        with said_plainly():
            return helpers.read(self._ready(spec).client, spec, paths)

    def queued(self, spec: WorkloadSpec) -> list[File]:
        """Messages in the queue on an account's volume."""
        with said_plainly():
            return helpers.queued(self._ready(spec).client, spec)

    def mend_owners(self, spec: WorkloadSpec) -> None:
        """Give the files on an account's volume back to their users."""
        with said_plainly():
            helpers.own(self._ready(spec).client, spec)

    def at_depot(self, depot: Depot, words: Sequence[str], given: Iterable[bytes] = ()) -> Iterator[bytes]:
        """Run a verb of `images/backup/repository` on this machine."""
        with said_plainly():
            yield from depots.at_depot(self.on("").client, depot, words, given)

    def back_up(self, spec: WorkloadSpec, depot: Depot, folder: str, told: Callable[[int], None]) -> bytes:
        """Put what lies in a folder of the volume into the repository."""
        with said_plainly():
            there = self._ready(replace(spec, image=depot.image))
            return depots.save(self.on("").client, there.client, spec, depot, folder, told)

    def helpers(self, instance: str) -> set[str]:
        """Ids of the accounts whose volumes are being looked into or carried, or were when that was cut short."""
        with said_plainly():
            return {one for node in self.up() for one in helpers.accounts(self.on(node).client, instance)}

    def remove_helpers(self, instance: str, account: str) -> None:
        """End whatever looks into an account's volume or carries it."""
        with said_plainly():
            for node in self.up():
                helpers.remove(self.on(node).client, instance, account)

    def traces(self, account: str, own: Collection[str], others: Collection[str]) -> list[str]:
        """What there is with an account's label, or by these names."""
        return [
            f"{one} on {node}" if node else one
            for node in self.up()
            for one in self.on(node).labelled(account, own, others)
        ]

    def _ready(self, spec: WorkloadSpec) -> EngineApi:
        """The engine of that machine, with the image."""
        engine = self.on(spec.node)
        own = self.on("")
        image = own.image_id(spec.image)
        if not image:
            raise MailpodError(f"there is no image {spec.image}", "run: mailpod apply")
        if engine.image_id(spec.image) != image:
            own.copy_images([spec.image], engine)
        return engine
