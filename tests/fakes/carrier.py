"""What the engine in memory does with volumes beside letting containers use them."""

import contextlib
import io
import json
import tarfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mailpod.model.archive import File, tar
from mailpod.model.depot import MISSING, WRONG_KEY, DepotError
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_ID

QUEUE = "spool/postfix/"


@dataclass
class FakeDepot:
    """A repository: files by path and the time, by the ids of snapshots."""

    password: str
    snapshots: dict = field(default_factory=dict)
    damaged: bool = False
    kept: list = field(default_factory=list)


class FakeCarrier:
    """The part of `FakeEngine` that carries volumes, half of one at each step."""

    def _on(self, node: str, what: str):
        world = self._reach(what)
        if (node or world.machines[0].name) not in world.up():
            raise EngineUnreachable(f"{node} cannot be reached", "see that it runs")
        return world

    def holds(self, spec):
        world = self._on(spec.node, "holds")
        return world.key(spec.volume, spec.node) in world.volumes

    def discard(self, spec):
        world = self._on(spec.node, f"discard {spec.volume} on {spec.node}")
        self._remove_volume(world.key(spec.volume, spec.node))

    def size(self, spec):
        world = self._on(spec.node, "size")
        return sum(len(file.content) for file in world.volumes[world.key(spec.volume, spec.node)].files.values())

    def room(self, spec):
        return self._on(spec.node, "room").room

    @contextlib.contextmanager
    def _helping(self, spec):
        world = self._on(spec.node, f"help {spec.name} on {spec.node}")
        world.helpers.append(spec.labels[LABEL_ID])
        try:
            yield world
        except (Exception, KeyboardInterrupt):
            world.helpers.remove(spec.labels[LABEL_ID])
            raise
        world.helpers.remove(spec.labels[LABEL_ID])

    def copy_volume(self, source, target, told, *, at_rest):
        with self._helping(source), self._helping(target) as world:
            here, there = (world.key(spec.volume, spec.node) for spec in (source, target))
            runs = any(one.volume == here and one.state == "running" for one in world.containers.values())
            assert not (at_rest and runs), "it is not at rest"
            assert not any(one.volume == there for one in world.containers.values()), "it is in use"
            files = world.volumes[here].files
            volume = world.add_volume(there, target)
            self._step("engine half of it is copied")
            volume.files = dict(list(files.items())[: len(files) // 2])
            self._step("engine all of it is copied")
            volume.files = dict(files)
            told(len(files))
        return len(files)

    def pack_volume(self, spec):
        with self._helping(spec) as world:
            packed = tar(world.volumes[world.key(spec.volume, spec.node)].files.values()).rstrip(b"\0")
            whole = packed.ljust(-(-len(packed) // 512) * 512, b"\0") + bytes(1024)
            self._step("engine half of it is packed")
            yield whole[:700]
            yield whole[700:]

    def snapshot_home(self, spec):
        with self._helping(spec) as world:
            files = world.volumes[world.key(spec.volume, spec.node)].files.values()
            packed = tar(file for file in files if file.path.startswith("home/"))
            self._step("engine half of it is read")
            yield packed[:700]
            yield packed[700:]

    def unpack_volume(self, spec, archive):
        with self._helping(spec) as world:
            volume = world.add_volume(world.key(spec.volume, spec.node), spec)
            self._step("engine it is being unpacked")
            whole = io.BytesIO(b"".join(archive))
            if not tarfile.is_tarfile(whole):
                raise MailpodError("unpacking failed: this does not look like a tar archive", "see the disk")
            with tarfile.open(fileobj=whole) as tree:
                for member in filter(tarfile.TarInfo.isreg, tree.getmembers()):
                    content = tree.extractfile(member).read()
                    volume.files[member.name] = File(member.name, content, member.mode, member.uid)
                    self._step("engine some of it is unpacked")

    def traces(self, account, own, others):
        world = self._reach("traces")
        things = {**world.containers, **world.volumes}
        labelled = {name for name, one in things.items() if one.labels.get(LABEL_ID) == account}
        own_there = {key for key in world.volumes if key.partition("@")[0] in own}
        return sorted(name for name in labelled | own_there if name.partition("@")[0] not in others)

    def read_files(self, spec, paths):
        world = self._on(spec.node, f"read {spec.volume}")
        files = world.volumes[world.key(spec.volume, spec.node)].files
        wanted = tuple(paths)
        return {p: f.content for p, f in files.items() if p in wanted or p.startswith(tuple(f"{w}/" for w in wanted))}

    def queued(self, spec):
        world = self._on(spec.node, f"queue on {spec.volume}")
        key = world.key(spec.volume, spec.node)
        assert not any(one.volume == key and one.state == "running" for one in world.containers.values()), "not at rest"
        whole = [file for file in world.volumes[key].files.values() if file.mode & 0o100]
        folders = tuple(f"{QUEUE}{folder}/" for folder in ("incoming", "active", "deferred", "hold", "maildrop"))
        return [replace(one, path=one.path.removeprefix(QUEUE)) for one in whole if one.path.startswith(folders)]

    def mend_owners(self, spec):
        with self._helping(spec) as world:
            world.strangers.discard(spec.labels[LABEL_ID])

    def remove_network(self, name):
        self._reach(f"remove_network {name}").networks.pop(name, None)

    def back_up(self, spec, depot, folder, told):
        assert depot.image in self.world.images
        with self._helping(spec) as world:
            there = self._depot(depot)
            files = dict(world.volumes[world.key(spec.volume, spec.node)].files)
            self._step("engine half of it is in the repository")
            told(len(files))
            return self._summary(there, files)

    def _summary(self, there, files):
        number = 1 + len(there.snapshots)
        identity = f"{number:08x}{id(there):056x}"
        there.snapshots[identity] = (datetime.now(UTC), files)
        self._step("engine the snapshot is there")
        said = {
            "message_type": "summary",
            "snapshot_id": identity,
            "total_bytes_processed": sum(len(file.content) for file in files.values()),
            "data_added": 1,
        }
        return json.dumps(said).encode()

    def _depot(self, depot):
        there = self.world.depots.get((depot.folder, depot.path))
        if there is None:
            raise DepotError("there is no backup of this there", "see: mailpod backup list", MISSING)
        if there.password != depot.password:
            raise DepotError("the key is not that of the repository", "give the other one", WRONG_KEY)
        return there

    def at_depot(self, depot, words, given=()):
        self._reach(f"at_depot {words[0]}")
        verb, *rest = words
        if verb == "init":
            self.world.depots[depot.folder, depot.path] = FakeDepot(depot.password)
            return
        if verb == "purge":
            beside = (depot.folder, f"{depot.path.rpartition('/')[0]}/system")
            if (depot.folder, depot.path) not in self.world.depots and beside not in self.world.depots:
                raise DepotError("the repository of the backup: no backups of this system are there", "see", 1)
            self.world.depots.pop((depot.folder, depot.path), None)
            return
        there = self._depot(depot)
        if verb == "save":
            yield self._summary(there, {rest[0]: File(rest[0], b"".join(given))})
        elif verb == "snapshots":
            found = [
                {"id": one, "time": time.isoformat(), "summary": {"total_bytes_processed": len(files)}}
                for one, (time, files) in there.snapshots.items()
            ]
            yield json.dumps(found).encode()
        elif verb == "dump":
            yield from self._dump(there.snapshots[rest[0]][1], rest[1])
        elif verb == "check" and there.damaged:
            raise DepotError("the repository of the backup: a pack is missing", "see that it is whole", 1)
        elif verb == "keep":
            there.kept.append(rest)

    def _dump(self, files, path):
        wanted = path.strip("/")
        if wanted in files:
            yield files[wanted].content
            return
        found = [file for file in files.values() if file.path.startswith(wanted)]
        if not found:
            raise DepotError(f'path "{path}" not found in snapshot', "see that it is whole", 1)
        yield tar(found)

    def helpers(self, instance):
        return set(self._reach("helpers").helpers)

    def remove_helpers(self, instance, account):
        world = self._reach("remove_helpers")
        world.helpers = [one for one in world.helpers if one != account]
