"""Files that mail comes in: of `account export`, or of elsewhere a tar of a Maildir or of mbox files, or one mbox."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import posixpath
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, get_args

from mailpod.model import folder_pattern, mbox
from mailpod.model.errors import InvalidInput
from mailpod.model.maildir import COURIER, COURIER_KEYWORDS, DOVECOT, decoded, folder_name
from mailpod.model.records import DEFAULT_STACK, Stack
from mailpod.services.export_file import ABOUT, CHUNK, FILES, FORMAT, MAIL, MBOX, SUMS, Counted, sums
from mailpod.services.home_tree import HomeTree

_MAGIC: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_BEGINS_MBOX = b"From "
_BLOCK = 512
_MOST_ABOUT = 1024 * 1024
# What each message and its name take on a disk beside its bytes.
_BESIDE = 4096
_HINT = "give what `account export` has written, a tar of a Maildir or of mbox files, or an mbox"


@dataclass(frozen=True)
class MailFile:
    """A file with mail that has been found whole.

    Attributes:
        path: the file.
        name: of the account that was exported; empty when it is from elsewhere.
        stack: whose notes of UIDs and keywords lie beside the messages.
        messages: how many there are.
        size: bytes of all messages and files.
        boxes: by path in the file, the folder that the messages in there belong to.
    """

    path: Path
    name: str
    stack: Stack
    messages: int
    size: int
    boxes: dict[str, str] = field(repr=False)

    @property
    def on_disk(self) -> int:
        """About how many bytes it takes on a disk."""
        return self.size + _BESIDE * self.messages

    def tree(self) -> Iterator[bytes]:
        """The tree of an account's volume with this mail in its home, as a tar in pieces.

        Raises:
            InvalidInput: the file has changed since it was read.
        """
        home = HomeTree(self.stack, ours=bool(self.name))
        try:
            if _begins(self.path, _BEGINS_MBOX):
                with self.path.open("rb") as file:
                    for letter in mbox.split(file):
                        yield from home.letter("", letter)
            else:
                with _opened(self.path) as archive:
                    for member in archive:
                        yield from self._pieces(home, archive, member)
        except (*_DAMAGE, OSError) as error:
            raise InvalidInput(f"{self.path} has changed meanwhile: {error}", "try again") from error
        yield from home.end()

    def _pieces(self, home: HomeTree, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
        path = _clean(member.name)
        content = archive.extractfile(member) if member.isreg() else None
        folder, inside = _place(path)
        if self.name and path.startswith(f"{FILES}/"):
            yield from home.other(path.removeprefix(f"{FILES}/"), member, content)
        elif inside and folder in self.boxes:
            yield from home.member(self.boxes[folder], inside, member, content)
        elif path in self.boxes and content:
            for letter in mbox.split(content):
                yield from home.letter(self.boxes[path], letter)


def read(path: Path, without: Sequence[str] = ()) -> MailFile:
    """See what is in a file with mail, and that all of it is there.

    Args:
        without: patterns of folders to leave out; see `mailpod.model.folder_pattern`.

    Raises:
        InvalidInput: it cannot be read, is damaged or not whole, of a later mailpod, or has no mail, or not the folder
            that is to be left out.
    """
    try:
        if _begins(path, _BEGINS_MBOX):
            if without:
                raise InvalidInput(f"{path} is one mbox, which has no folders", "leave out --except")
            with path.open("rb") as file:
                return MailFile(path, "", DEFAULT_STACK, sum(1 for _ in mbox.split(file)), path.stat().st_size, {})
        if not (_begins(path, *_MAGIC) or tarfile.is_tarfile(path)):
            raise InvalidInput(f"{path} is no tar and no mbox", _HINT)
        found = _Found()
        with _opened(path) as archive:
            for member in archive:
                found.take(archive, member)
        return found.as_file(path, without)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}", _HINT) from error
    except _DAMAGE as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"{path} is damaged or not whole", "copy it again from where it was made")


def _begins(path: Path, *words: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(words)


class _Tail(io.RawIOBase):
    """A file that knows the last bytes that were read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.last = (self.last + piece)[-_BLOCK:]
        return piece


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar, packed or not; raises `tarfile.ReadError` afterwards when the block that ends every tar is missing."""
    opener = next((one for begin, one in _MAGIC.items() if _begins(path, begin)), lambda plain: plain.open("rb"))
    with opener(path) as file:
        tail = _Tail(file)
        with tarfile.open(fileobj=tail, mode="r|", bufsize=CHUNK) as archive:
            yield archive
        while tail.read(CHUNK):
            pass
        if tail.last != bytes(_BLOCK):
            raise tarfile.ReadError("it ends too early")


class _Found:
    """What there is in a tar."""

    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._sums: dict[str, str] = {}
        self._told = ""
        self._folders: dict[str, int] = {}
        self._mboxes: dict[str, int] = {}
        # by path of a folder, or of a file that is in none
        self._sizes: Counter[str] = Counter()
        self._courier = False

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Read a member to its end."""
        path = _clean(member.name)
        folder, inside = _place(path)
        if inside.startswith(("cur", "new")):
            self._folders[folder] = self._folders.get(folder, 0) + ("/" in inside and member.isreg())
        content = archive.extractfile(member) if member.isreg() else None
        if content is None:
            return
        self._sizes[folder if inside else path] += member.size
        self._courier |= inside == "courierimapuiddb"
        counted = Counted(content)
        reader = io.BufferedReader(counted, CHUNK)
        if path == ABOUT:
            self._about = _document(reader.read(_MOST_ABOUT))
        elif path == SUMS:
            self._told = reader.read().decode(errors="surrogateescape")
            return
        elif not inside and reader.peek(len(_BEGINS_MBOX)).startswith(_BEGINS_MBOX):
            self._mboxes[path] = sum(1 for _ in mbox.split(reader))
        while reader.read(CHUNK):
            pass
        self._sums[member.name] = counted.digest.hexdigest()

    def as_file(self, path: Path, without: Sequence[str]) -> MailFile:
        """All of it but some folders, as a file that is whole; raises `InvalidInput` when it is not, or has no mail."""
        ours = "mailpod" in self._about
        if ours and self._about["mailpod"] != FORMAT:
            raise InvalidInput(f"{path} is of another mailpod: format {self._about['mailpod']}", "update this one")
        if ours and self._told != sums(self._sums):
            raise _damaged(path)
        counts, root = self._folders, MAIL
        if not sum(counts.values()):
            counts, root = self._mboxes, MBOX
        boxes = _folders(counts, root if ours else None, utf7=not ours and counts is self._folders)
        meant = folder_pattern.matching(without, boxes.values())
        gone = {one for one, folder in boxes.items() if folder in meant}
        count = sum(number for one, number in counts.items() if one not in gone)
        if not count and not ours:
            raise InvalidInput(f"there is no mail in {path}", _HINT)
        size = sum(number for one, number in self._sizes.items() if one not in gone)
        stack = self._about.get("stack", "classic" if self._courier else "dovecot")
        return MailFile(
            path,
            str(self._about.get("name", "")) if ours else "",
            stack if stack in get_args(Stack) else DEFAULT_STACK,
            count,
            size,
            {one: folder for one, folder in boxes.items() if one not in gone},
        )


def _clean(name: str) -> str:
    """A path in an archive, that leads nowhere else."""
    return posixpath.normpath(f"/{name}").lstrip("/")


def _place(path: str) -> tuple[str, str]:
    """The folder on disk that a file in a Maildir belongs to, and its path in there; empty for what is in none."""
    parts = path.split("/")
    if parts[-1] in {"cur", "new"} | DOVECOT | COURIER:
        at = -1
    elif len(parts) > 1 and parts[-2] in {"cur", "new", COURIER_KEYWORDS}:
        at = -2
    else:
        return "", ""
    return "/".join(parts[:at]), "/".join(parts[at:])


def _folders(paths: Iterable[str], root: str | None, *, utf7: bool) -> dict[str, str]:
    """What folder each of these paths stands for.

    Args:
        root: the path of the inbox, or of the folder it is in; None where that is to be found out.
        utf7: names may be in modified UTF-7.
    """
    if root is None:
        # Of Maildir++ all folders lie in the inbox and begin with a dot; else they lie in each other.
        above = [posixpath.dirname(one) if posixpath.basename(one).startswith(".") else one for one in paths]
        root = posixpath.commonpath(above) if above else ""
    found = {}
    for path in paths:
        inner = path.removeprefix(root).strip("/").replace(".sbd/", "/").removesuffix(".mbox")
        name = folder_name([decoded(part) if utf7 else part for part in inner.split("/")])
        found[path] = "" if name.lower() == ".inbox" else name
    return found


def _document(content: bytes) -> dict[str, Any]:
    """A JSON object; empty when it is none."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
