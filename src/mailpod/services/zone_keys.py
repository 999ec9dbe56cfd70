"""The keys that the system's own name server signs with, for backups: the parent zone vouches for no others."""

import io
import tarfile
from dataclasses import replace

from mailpod.model import layout
from mailpod.model.errors import MailpodError
from mailpod.model.records import System
from mailpod.model.spec import LABEL_ROLE, WorkloadSpec
from mailpod.services import images
from mailpod.services.context import Context

_ROLE = "dns"
# Knot's database of keys with their times, and their private halves (images/dns/knot.conf). Not its file of locks.
_FOLDERS = ("db", "db/keys", "db/keys/keys")
_LOCKS = "db/keys/lock.mdb"
# Knot's user in its image.
_OWNER = 213
_TRIES = 5


def packed(context: Context) -> bytes:
    """The keys as a tar of what lies on the name server's volume; empty where there is no name server, or none yet.

    Raises:
        MailpodError: they cannot be read, or change without a pause.
    """
    system = context.system
    spec = _spec(system, system.main_node)
    if system.dns != "built-in" or spec.volume not in context.engine.volumes(context.instance):
        return b""
    files = _read(context, spec)
    for _ in range(_TRIES):
        # Knot may be writing. What two readings have in common was there, all of it, between them.
        before, files = files, _read(context, spec)
        if before == files:
            return _tar(files) if files else b""
    raise MailpodError("the name server's keys do not stand still", "try again")


def restore(context: Context, system: System, content: bytes) -> None:
    """Lay the keys that `packed` gave on the volume of a name server that does not run yet."""
    context.engine.unpack_volume(_spec(system), [content])


def _spec(system: System, node: str = "") -> WorkloadSpec:
    volume = layout.nameserver_container(system.instance)
    spec = layout.volume_spec(system.instance, volume, _ROLE, images.of_main(system).dns, node)
    return replace(spec, labels={**spec.labels, LABEL_ROLE: _ROLE})


def _read(context: Context, spec: WorkloadSpec) -> dict[str, bytes]:
    files = context.engine.read_files(spec, [_FOLDERS[1]])
    return {path: content for path, content in files.items() if path != _LOCKS}


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in _FOLDERS:
            member = tarfile.TarInfo(folder)
            member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, 0o750, _OWNER, _OWNER
            archive.addfile(member)
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.uid, member.gid = len(content), 0o640, _OWNER, _OWNER
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
