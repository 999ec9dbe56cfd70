"""The file that an account's mail leaves in: a tar that can be read without mailpod.

README.txt     what is where
account.json   what the account was
Maildir/…      its mail, or
mbox/….mbox    its mail, a file for each folder
files/…        what else lay in its home, filters among it
SHA256SUMS     of all of these, as sha256sum(1) checks them
"""

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from mailpod.model import mbox
from mailpod.model.errors import MailpodError
from mailpod.model.maildir import split_flags
from mailpod.model.mbox import Letter
from mailpod.services.whole_file import written

Form = Literal["maildir", "mbox"]
"""What mail is written as."""
FORMAT = 1
README, ABOUT, SUMS = "README.txt", "account.json", "SHA256SUMS"
MAIL, MBOX, FILES = "Maildir", "mbox", "files"

CHUNK = 1024 * 1024
"""Bytes that are read at once."""

_PACKED = {".gz": "w:gz", ".tgz": "w:gz"}
_MESSAGE = re.compile(r"home/Maildir/(?:\.([^/]+)/)?(cur|new)/([^/]+)", re.DOTALL)

_TEXT = """{address}

This file holds the mail of an account, and can be read without mailpod.
Ce fichier contient le courrier d'un compte, et se lit sans mailpod.

  Maildir/      mail, one file a message (Maildir++): mutt -f Maildir
  mbox/         or mail, one file a folder: Thunderbird, Apple Mail, mutt -f mbox/INBOX.mbox
  files/        what else was in the home folder; filters are files/sieve/ and files/.procmailrc
  account.json  name, addresses and limits of the account; no passwords
  SHA256SUMS    to see that everything is whole: sha256sum -c SHA256SUMS

On another mailpod: mailpod account import FILE
Elsewhere: any mail program that reads the folders above, or an IMAP server that keeps its mail in a Maildir.
"""


def write(path: Path, about: dict[str, object], address: str, home: Iterable[bytes], form: Form) -> int:
    """Write an account's file, for its owner alone, under its name only when it is whole and on disk.

    Args:
        path: packed by gzip if it ends with `.gz` or `.tgz`.
        about: what `account.json` is to say.
        home: the account's home as a tar in pieces whose members begin with `home/`.

    Returns:
        How many messages are in it.

    Raises:
        AlreadyExists: there is a file of this name.
        MailpodError: it cannot be written, or the home is not whole; nothing is left of it.
    """
    with (
        written(path) as file,
        tarfile.open(fileobj=file, mode=_PACKED.get(path.suffix, "w")) as archive,  # type: ignore[call-overload]
    ):
        writer = _Writer(archive)
        writer.text(README, _TEXT.format(address=address))
        writer.text(ABOUT, json.dumps({"mailpod": FORMAT} | about, indent=2, ensure_ascii=False) + "\n")
        pieces = io.BufferedReader(Stream(home), CHUNK)
        try:
            with tarfile.open(fileobj=pieces, mode="r|") as tree:
                count = _as_mbox(writer, tree, path.parent) if form == "mbox" else _as_maildir(writer, tree)
        except tarfile.TarError as error:
            raise MailpodError(f"the account could not be read: {error}", "try again") from error
        # Whoever packs it has the last word on whether it is whole.
        while pieces.read(CHUNK):
            pass
        writer.end()
    return count


class _Writer:
    """Adds files to an archive, and knows the checksum of each."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._digests: dict[str, str] = {}

    def text(self, name: str, text: str) -> None:
        content = text.encode(errors="surrogateescape")
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        self.file(member, io.BytesIO(content))

    def other(self, member: tarfile.TarInfo) -> None:
        """A folder or a link."""
        self._archive.addfile(member)

    def file(self, member: tarfile.TarInfo, content: IO[bytes]) -> None:
        counted = Counted(content)
        self._archive.addfile(member, counted)
        self._digests[member.name] = counted.digest.hexdigest()

    def end(self) -> None:
        self.text(SUMS, sums(self._digests))


def sums(digests: Mapping[str, str]) -> str:
    """What `SHA256SUMS` says of files, by name, whose checksums these are."""
    lines = []
    for name, digest in digests.items():
        # sha256sum(1): a name with a backslash or the end of a line in it is escaped.
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
        mark = "" if escaped == name else "\\"
        lines.append(f"{mark}{digest}  {escaped}\n")
    return "".join(lines)


class Counted(io.RawIOBase):
    """A file of which a checksum, `digest`, is made while it is read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (what bytes can be put into has no name before Python 3.12)
        """Read what is next."""
        piece = self._content.read(len(buffer))
        self.digest.update(piece)
        buffer[: len(piece)] = piece
        return len(piece)


class Stream(io.RawIOBase):
    """Pieces as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (what bytes can be put into has no name before Python 3.12)
        """Give what is there of the next piece."""
        wanted = memoryview(buffer)
        if not self._held:
            self._held = memoryview(next(self._pieces, b""))
        count = min(len(wanted), len(self._held))
        wanted[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def _members(tree: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, tuple[str, str, str] | None]]:
    """Each member of a home, and of a message its folder, `cur` or `new`, and its name."""
    for member in tree:
        found = _MESSAGE.fullmatch(member.name)
        yield member, (found[1] or "", found[2], found[3]) if found else None


def _content(tree: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tree.extractfile(member)
    if content is None:
        raise MailpodError(f"{member.name} is no file", "look at it, and take it away")
    return content


def _as_maildir(writer: _Writer, tree: tarfile.TarFile) -> int:
    count = 0
    for member, message in _members(tree):
        count += message is not None
        _take(writer, tree, member)
    return count


def _take(writer: _Writer, tree: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Take a file, folder or link over, whoever owned it."""
    inside = member.name.partition("/")[2]
    if not inside:
        return
    member.name = inside if inside.partition("/")[0] == MAIL else f"{FILES}/{inside}"
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.pax_headers = {}
    if member.isreg():
        writer.file(member, _content(tree, member))
    elif member.isdir() or member.issym():
        writer.other(member)


def _as_mbox(writer: _Writer, tree: tarfile.TarFile, folder: Path) -> int:
    """The messages of a folder come one after the other: what packs the home sorts by name."""
    count, name, box = 0, "", _new(folder)
    for member, message in _members(tree):
        if message:
            if message[0] != name:
                _finish(writer, name, box)
                name, box = message[0], _new(folder)
            flags = split_flags(message[2])[1]
            box.write(mbox.joined(Letter(_content(tree, member).read(), flags, int(member.mtime))))
            count += 1
        elif member.name.split("/")[1:2] != [MAIL]:
            _take(writer, tree, member)
    _finish(writer, name, box)
    return count


def _new(folder: Path) -> BinaryIO:
    """Beside the file that is being written, since that is where room has been seen to be."""
    return tempfile.TemporaryFile(dir=folder)


def _finish(writer: _Writer, name: str, box: BinaryIO) -> None:
    with box:
        size = box.tell()
        if not size and not name:
            return
        member = tarfile.TarInfo(f"{MBOX}/{name or 'INBOX'}.mbox")
        member.size, member.mode = size, 0o600
        box.seek(0)
        writer.file(member, box)
