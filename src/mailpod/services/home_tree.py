"""The home of an account that is being made, as the tar that its volume is made of."""

import io
import itertools
import tarfile
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from mailpod.model.maildir import COURIER, DOVECOT, is_plain, split_flags
from mailpod.model.mbox import Letter
from mailpod.model.records import Stack

_OWNER = 1000
_CHUNK = 1024 * 1024
_MAIL = "home/Maildir"
_SUBSCRIBED = {"subscriptions", "courierimapsubscribed"}


class HomeTree:
    """Lays mail and files where a stack expects them; every call gives the pieces that come next.

    Args:
        stack: whose notes of UIDs and keywords are among what is laid.
        ours: it comes from a mailpod, so that what it says of subscriptions holds here.
    """

    def __init__(self, stack: Stack, *, ours: bool) -> None:
        self._stack = stack
        self._ours = ours
        self._names: dict[str, set[str]] = {}
        self._subscribed = False
        self._numbers = itertools.count(1)

    def member(self, folder: str, inside: str, member: tarfile.TarInfo, content: IO[bytes] | None) -> Iterator[bytes]:
        """What a folder of a Maildir has.

        Args:
            folder: as on disk, empty for the inbox.
            inside: its path in there.
        """
        yield from self._folder(folder)
        if content is None:
            return
        where, _, name = inside.rpartition("/")
        if where in {"cur", "new"}:
            stays, flags = split_flags(name)
            flags = flags if where == "cur" else ""
            yield from self._message(folder, where, stays, flags, int(member.mtime), member.size, content)
        elif name in _SUBSCRIBED and not self._ours:
            return
        elif where or name in (COURIER if self._stack == "classic" else DOVECOT):
            self._subscribed |= name in _SUBSCRIBED
            yield from _file(f"{_MAIL}/{folder}/{inside}", member.size, int(member.mtime), content)

    def letter(self, folder: str, letter: Letter) -> Iterator[bytes]:
        """A message that has no name yet."""
        yield from self._folder(folder)
        content = io.BytesIO(letter.content)
        when = letter.when or int(time.time())
        yield from self._message(folder, "cur", "", letter.flags, when, len(letter.content), content)

    def other(self, path: str, member: tarfile.TarInfo, content: IO[bytes] | None) -> Iterator[bytes]:
        """A file, a folder, or a link that does not lead out of the home."""
        mode = member.mode & 0o755
        if content:
            yield from _file(f"home/{path}", member.size, int(member.mtime), content, mode | 0o600)
        elif member.isdir():
            yield from _directory(f"home/{path}", mode | 0o700)
        elif member.issym() and ".." not in (to := PurePosixPath(member.linkname)).parts and not to.is_absolute():
            yield _header(f"home/{path}", tarfile.SYMTYPE, 0o777, link=member.linkname)

    def end(self) -> Iterator[bytes]:
        """What comes last."""
        yield from self._folder("")
        if not self._subscribed:
            names = sorted(folder.removeprefix(".") for folder in self._names if folder)
            if self._stack == "classic":
                name, lines = "courierimapsubscribed", [f"INBOX.{one}" for one in names]
            else:
                name, lines = "subscriptions", ["V\t2", "", *(one.replace(".", "\t") for one in names)]
            text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
            yield from _file(f"{_MAIL}/{name}", len(text), int(time.time()), io.BytesIO(text))
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _folder(self, folder: str) -> Iterator[bytes]:
        if folder in self._names:
            return
        if not self._names:
            yield from _directory("home", 0o700)
        self._names[folder] = set()
        place = f"{_MAIL}/{folder}".rstrip("/")
        for directory in (place, *(f"{place}/{one}" for one in ("cur", "new", "tmp"))):
            yield from _directory(directory, 0o700)
        if folder:
            yield from _file(f"{place}/maildirfolder", 0, int(time.time()), io.BytesIO())

    def _message(
        self, folder: str, where: str, stays: str, flags: str, when: int, size: int, content: IO[bytes]
    ) -> Iterator[bytes]:
        names = self._names[folder]
        if not is_plain(stays) or stays in names:
            stays = f"{when}.M{next(self._numbers)}P1.import,S={size}"
        names.add(stays)
        name = f"{stays}:2,{flags}" if where == "cur" else stays
        yield from _file(f"{_MAIL}/{folder}/{where}/{name}", size, when, content)


def _directory(path: str, mode: int) -> Iterator[bytes]:
    yield _header(path, tarfile.DIRTYPE, mode)


def _file(path: str, size: int, when: int, content: IO[bytes], mode: int = 0o600) -> Iterator[bytes]:
    yield _header(path.replace("//", "/"), tarfile.REGTYPE, mode, size=size, when=when)
    left = size
    while left:
        piece = content.read(min(_CHUNK, left))
        if not piece:
            raise EOFError(f"{path} ends too early")
        left -= len(piece)
        yield piece
    yield bytes(-size % tarfile.BLOCKSIZE)


def _header(path: str, kind: bytes, mode: int, *, size: int = 0, when: int | None = None, link: str = "") -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    member.mtime = int(time.time()) if when is None else when
    member.uid = member.gid = _OWNER
    return member.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape")
