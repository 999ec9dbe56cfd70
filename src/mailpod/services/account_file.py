"""The file that an account travels in: a tar, with what it is before the tree of its volume and a checksum after it.

mailpod.json      the format's number, the account's record, its SSH host key, whether it went on
./…               the tree
mailpod.sha256    of everything before it
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import Account, is_ssh_key
from mailpod.services.whole_file import written

_FORMAT = 1
_ABOUT, _CHECKSUM = "mailpod.json", "mailpod.sha256"
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_TAIL = 2 * _BLOCK + len(_END)
_CHUNK = 1024 * 1024
_MOST = 1024 * 1024


@dataclass(frozen=True)
class Packed:
    """An account in a file that has been found whole.

    Attributes:
        ssh_host_key, ssh_host_public: both parts of its SSH host key.
        goes_on: it went on where the file was made.
        path: the file.
        begin, end: where in it the tree is.
    """

    account: Account
    ssh_host_key: str
    ssh_host_public: str
    goes_on: bool
    path: Path
    begin: int
    end: int

    @property
    def size(self) -> int:
        """About how many bytes it takes on a disk."""
        return self.end - self.begin

    def tree(self) -> Iterator[bytes]:
        """The tree of its volume as a tar in pieces."""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            yield from _pieces(file, self.size)
        yield _END


def write(
    path: Path, account: Account, ssh_host_key: str, ssh_host_public: str, tree: Iterable[bytes], *, goes_on: bool
) -> None:
    """Write an account's file, for its owner alone, under its name only when it is whole and on disk.

    Args:
        tree: a tar in pieces that ends with 1024 zeros.
        goes_on: it goes on where it is.

    Raises:
        AlreadyExists: there is a file of this name.
        MailpodError: it cannot be written, or the tree is not whole; nothing is left of it.
    """
    about = {
        "format": _FORMAT,
        "account": account.model_dump(mode="json", exclude_none=True),
        "ssh_host_key": ssh_host_key,
        "ssh_host_public": ssh_host_public,
        "goes_on": goes_on,
    }
    with written(path) as file:
        digest = hashlib.sha256()
        for piece in (_member(_ABOUT, json.dumps(about).encode()), *_without_end(tree)):
            digest.update(piece)
            file.write(piece)
        file.write(_member(_CHECKSUM, digest.hexdigest().encode()) + _END)


def read(path: Path) -> Packed:
    """Read what is in an account's file, and all of it once, to see that it is whole.

    Raises:
        InvalidInput: it is none, or damaged, or of a later mailpod.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise InvalidInput(
            f"cannot read {path}: {error.strerror}", "give the file that --to-file has written"
        ) from error


def _read(path: Path, file: BinaryIO) -> Packed:
    none = InvalidInput(f"{path} is no account's file", "give one that --to-file has written")
    damaged = InvalidInput(f"{path} is damaged or not whole", "copy it again from where it was made")
    head = file.read(_BLOCK)
    try:
        member = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
    except tarfile.TarError:
        raise none from None
    if member.name != _ABOUT or member.size > _MOST:
        raise none
    begin = _BLOCK + _blocks(member.size)
    end = path.stat().st_size - _TAIL
    if end <= begin:
        raise damaged
    about = file.read(member.size)
    file.seek(0)
    digest = hashlib.sha256()
    for piece in _pieces(file, end):
        digest.update(piece)
    if file.read() != _member(_CHECKSUM, digest.hexdigest().encode()) + _END:
        raise damaged
    try:
        document = json.loads(about)
        if document["format"] != _FORMAT:
            raise InvalidInput(f"{path} is of another mailpod: format {document['format']}", "update this one")
        account = Account.model_validate(document["account"])
        keys = document["ssh_host_key"], document["ssh_host_public"]
        if not is_ssh_key(keys[1]):
            raise damaged
        return Packed(account, *keys, document.get("goes_on", False), path, begin, end)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise none from error


def _pieces(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count and (piece := file.read(min(_CHUNK, count))):
        count -= len(piece)
        yield piece


def _member(name: str, content: bytes) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    buffer = io.BytesIO()
    buffer.write(member.tobuf(tarfile.USTAR_FORMAT))
    buffer.write(content.ljust(_blocks(len(content)), b"\0"))
    return buffer.getvalue()


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _without_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        held += piece
        yield held[: -len(_END)]
        held = held[-len(_END) :]
    if held != _END:
        raise MailpodError("the tree of the volume ended too early", "try again")
