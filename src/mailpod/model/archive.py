"""Files on their way to a container, and the tar they travel in."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_BLOCK = 512


@dataclass(frozen=True)
class File:
    """A file for a container: path below its volume's mount point, content, mode and owning uid (and gid)."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: int = 0


def tar(files: Iterable[File]) -> bytes:
    """An uncompressed tar of `files` in memory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            member = tarfile.TarInfo(file.path)
            member.size, member.mode = len(file.content), file.mode
            member.uid = member.gid = file.owner
            archive.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()


def tar_begin(files: Sequence[File]) -> bytes:
    """What `tar` gives, without the zeros that end it: another tar can follow."""
    return tar(files)[: sum(_BLOCK + -(-len(file.content) // _BLOCK) * _BLOCK for file in files)]
