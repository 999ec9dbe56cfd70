"""Bringing messages back from a backup, into a folder `Restored` of the account as it is."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from email.parser import BytesHeaderParser
from email.policy import compat32

from mailpod.model.archive import File
from mailpod.model.backup import Snapshot
from mailpod.model.depot import Depot, DepotError
from mailpod.model.errors import InvalidInput, NotFound
from mailpod.services import depots
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.restoring import found

_MAILDIR = "home/Maildir"
_MESSAGES = ("cur", "new")
_BATCH = 16 * 1024 * 1024
_SECONDS = 300.0


def restore_messages(context: Context, name: str, at: str, folder: str, message_id: str) -> int:
    """Put the messages of a folder, or those with a Message-ID, as they were at a backup into the folder `Restored`.

    Messages that are in there already stay as they are, so that it can be done again.

    Args:
        at: which backup; see `mailpod.model.backup.chosen`.
        folder: as mail clients call it, with `/` or `.` between its parts; empty for all folders.
        message_id: with or without its brackets; empty for all messages.

    Returns:
        How many messages are new there.

    Raises:
        NotFound: there is no such account, backup, folder or message.
        DepotError: the repository cannot be reached, is damaged, or its key is another.
        MailpodError: the account is frozen or does not answer.
    """
    require_main(context)
    account = context.store.account(name.lower())
    require_thawed(account)
    require_reachable(context, account)
    wanted = f"/{_MAILDIR}/{maildir(folder)}".rstrip("/") if folder else f"/{_MAILDIR}"
    depot, snapshot = found(context, account, at)
    context.progress(f"reading the backup of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S}")
    tree = _dumped(context, depot, snapshot, wanted)
    public = context.account_identity(account).ssh_host_public
    count = seen = 0
    for batch in _batches(_matching(_messages(tree, inbox=folder.upper() == "INBOX"), message_id)):
        seen += len(batch)
        said = context.channel.account(account.name, public, "restore-messages", batch, seconds=_SECONDS)
        count += int(said)
        context.progress(f"restored {count} messages")
    if not seen:
        raise NotFound(f"the backup has no such message of {account.name}", "see another one: mailpod backup list")
    return count


def _dumped(context: Context, depot: Depot, snapshot: Snapshot, path: str) -> Iterator[bytes]:
    try:
        yield from depots.stream(context, depot, "dump", snapshot.id, path)
    except DepotError as problem:
        if "not found in snapshot" not in problem.what:
            raise
        raise NotFound("the backup has no such folder", "see another one: mailpod backup list") from problem


def maildir(folder: str) -> str:
    """The directory of a folder below the Maildir (Maildir++, names in UTF-8 on both stacks): empty for the inbox.

    Raises:
        InvalidInput: no folder has such a name.
    """
    parts = [part for part in folder.replace("/", ".").split(".") if part]
    if not parts or not folder.isprintable():
        raise InvalidInput(f"{folder!r} is no folder's name", "give one like Sent or Work/2026")
    if parts[0].upper() == "INBOX":
        parts = parts[1:]
    return "." + ".".join(parts) if parts else ""


def _messages(pieces: Iterable[bytes], *, inbox: bool) -> Iterator[File]:
    """The messages in the tar of a Maildir or a folder of it, by the names of their files."""
    with tarfile.open(fileobj=io.BufferedReader(_Reader(pieces)), mode="r|") as archive:
        for member in archive:
            parts = member.name.strip("/").split("/")
            if not member.isfile() or len(parts) < 2 or parts[-2] not in _MESSAGES:
                continue
            if inbox and any(part.startswith(".") for part in parts):
                continue
            content = archive.extractfile(member)
            if content:
                yield File(parts[-1], content.read(), 0o600)


def _matching(messages: Iterable[File], message_id: str) -> Iterator[File]:
    wanted = message_id.strip().strip("<>")
    parser = BytesHeaderParser(policy=compat32)
    for message in messages:
        if not wanted:
            yield message
            continue
        head = message.content.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
        if str(parser.parsebytes(head)["Message-ID"] or "").strip().strip("<>") == wanted:
            yield message


def _batches(messages: Iterable[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for message in messages:
        if batch and size + len(message.content) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.content)
    if batch:
        yield batch


class _Reader(io.RawIOBase):
    """Reads pieces as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = piece
        count = min(len(buffer), len(self._held))
        buffer[:count], self._held = self._held[:count], self._held[count:]
        return count
