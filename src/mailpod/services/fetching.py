"""Bringing the mail of another IMAP server into an account.

mbsync(1) does it inside the account, as its owner; the control plane leads it to the server, so that what the account
itself may reach of the Internet does not matter. What has been copied is noted on the account's volume: a run that was
cut short, or one that is to bring what has come since, goes on from there.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from mailpod.model import folder_pattern
from mailpod.model.archive import File
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.imap_source import ImapSource
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable

_PATIENCE = 15.0
_SUMMARY = re.compile(r"Channels: .* Boxes: (\d+) .* Near: \+(\d+) ")


@dataclass(frozen=True)
class Fetched:
    """How many folders were looked at, and how many messages were copied."""

    folders: int
    messages: int


def fetch(
    context: Context, name: str, source: ImapSource, password: str, authority: str, without: Sequence[str] = ()
) -> Fetched:
    """Copy the folders of a mailbox elsewhere into an account, with flags and dates, each message once.

    Args:
        password: of the mailbox elsewhere.
        authority: certificates, PEM, that the server's is from; empty for the public ones.
        without: patterns of folders to leave out; see `mailpod.model.folder_pattern`.

    Raises:
        NotFound: there is no such account.
        InvalidInput: the password cannot be one, or a pattern no folder's.
        MailpodError: the account is frozen or does not answer; the server is not reached, does not prove who it is, or
            refuses the login; or not all could be copied. The same call again goes on where this one has stopped.
    """
    context.require_system()
    left_out = folder_pattern.checked(without)
    account = context.store.account(name.lower())
    if not password or "\0" in password:
        raise InvalidInput("there is no password", "give that of the mailbox elsewhere on standard input")
    require_thawed(account)
    require_main(context)
    require_reachable(context, account)
    _require_answer(source)
    files = [
        File("mbsyncrc", source.mbsync(own_authority=bool(authority), without=left_out).encode(), 0o600),
        File("password", f"{password}\n".encode(), 0o600),
        File("ca.pem", authority.encode(), 0o600),
    ]
    told = _Told(context, account.name)
    context.progress(f"copying the mail of {source.user} at {source.host} into {account.name}")
    public = context.account_identity(account).ssh_host_public
    try:
        context.channel.attend(account.name, public, "import", files, source.address, told)
    except MailpodError as problem:
        raise type(problem)(problem.what, "what was copied stays; the same command goes on from there") from problem
    return told.fetched


def _require_answer(source: ImapSource) -> None:
    try:
        socket.create_connection((source.host, source.port), _PATIENCE).close()
    except OSError as error:
        raise MailpodError(
            f"{source.address} does not answer: {error}", "see that the server runs, and its name"
        ) from error


class _Told:
    """Takes what the account tells meanwhile."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name
        self.fetched = Fetched(0, 0)

    def __call__(self, line: str) -> None:
        found = _SUMMARY.search(f"{line} ")
        if found:
            self.fetched = Fetched(int(found[1]), int(found[2]))
        else:
            self._context.progress(f"{self._name}: {line}")
