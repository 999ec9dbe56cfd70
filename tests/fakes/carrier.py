"""What the engine in memory does with volumes beside letting containers use them."""

import contextlib
import io
import tarfile

from mailpod.model.archive import File, tar
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_ID


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
        except Exception:
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

    def traces(self, account):
        world = self._reach("traces")
        things = {**world.containers, **world.volumes}
        return [name for name, one in things.items() if one.labels.get(LABEL_ID) == account]

    def read_files(self, spec, paths):
        world = self._on(spec.node, f"read {spec.volume}")
        files = world.volumes[world.key(spec.volume, spec.node)].files
        wanted = tuple(paths)
        return {p: f.content for p, f in files.items() if p in wanted or p.startswith(tuple(f"{w}/" for w in wanted))}

    def mend_owners(self, spec):
        with self._helping(spec) as world:
            world.strangers.discard(spec.labels[LABEL_ID])

    def remove_network(self, name):
        self._reach(f"remove_network {name}").networks.pop(name, None)

    def helpers(self, instance):
        return set(self._reach("helpers").helpers)

    def remove_helpers(self, instance, account):
        world = self._reach("remove_helpers")
        world.helpers = [one for one in world.helpers if one != account]
