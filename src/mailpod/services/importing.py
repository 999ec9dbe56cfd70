"""Making an account of mail that somebody brings along in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from mailpod.model import folder_pattern, layout
from mailpod.model.archive import File
from mailpod.model.errors import InvalidInput
from mailpod.model.names import account_name
from mailpod.model.records import DEFAULT_QUOTA, DEFAULT_STACK, MIB, NO_QUOTA, Account, Limits, Stack, new_id, now
from mailpod.services import arriving, mail_file
from mailpod.services.accounts import AccountView
from mailpod.services.context import Context
from mailpod.services.passwords import check_password, hash_password


def from_file(
    context: Context,
    path: Path,
    name: str | None,
    password: str,
    *,
    stack: Stack | None = None,
    node: str | None = None,
    without: Sequence[str] = (),
    **limits: Unpack[Limits],
) -> AccountView:
    """Make an account of the mail and files in a file.

    What an exported account was allowed to does not come along: that is this system's to give.

    Args:
        name: of the account; the one it had where it was exported, when nothing is said.
        stack: the one it had, or the default, when nothing is said.
        node: the machine of a Swarm that it is to be on; the one with most room when nothing is said.
        without: patterns of folders to leave out; see `mailpod.model.folder_pattern`.

    Raises:
        InvalidInput: the file is damaged, not whole or has no mail, the mail does not fit the quota, there is no folder
            that is to be left out, or the name or the password cannot be accepted.
        AlreadyExists: the name is an account's or an alias's.
        MailpodError: there is no room for it, or it could not be made; nothing is left of it.
    """
    context.require_system()
    check_password(password)
    if name is not None:
        account_name(name)
    context.progress(f"reading {path}")
    mail = mail_file.read(path, folder_pattern.checked(without))
    if name is None and not mail.name:
        raise InvalidInput(f"{path} does not say whose mail it is", "name the account with: --as NAME")
    account = Account(
        id=new_id(),
        name=account_name(name or mail.name),
        created=now(),
        stack=stack or (mail.stack if mail.name else DEFAULT_STACK),
        **Limits(quota=DEFAULT_QUOTA) | limits,
    )
    if account.quota != NO_QUOTA and mail.size > account.quota:
        raise InvalidInput(
            f"{mail.size // MIB} MiB of mail are more than the account's quota, {account.quota // MIB} MiB",
            "give it more: --quota SIZE, or none",
        )
    arriving.prepare(context, account)
    context.progress(f"making {account.name} of {mail.messages} messages")
    hashes = hash_password(password)
    return arriving.arrive(
        context,
        account,
        node,
        mail.on_disk,
        mail.tree,
        identify=lambda there: arriving.identify(context, there),
        # The other stack takes over what this one has noted (images/account/base/mailbox).
        more=lambda: [layout.password_file(hashes), File("etc/stack", f"{mail.stack}\n".encode(), 0o600)],
    )
