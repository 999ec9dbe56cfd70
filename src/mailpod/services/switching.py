"""Changing the stack of an account: its volume has to hold what the servers of both keep beside the messages."""

from mailpod.model.errors import MailpodError
from mailpod.model.records import Account
from mailpod.services.context import Context

# Courier's list of UIDs and keywords is about 100 bytes a message, Dovecot's with its indexes and cache about 600.
_PER_MESSAGE = 1024
_AT_LEAST = 4 * 1024 * 1024


def require_room(context: Context, account: Account) -> None:
    """Refuse the change while the volume is too full for it.

    Raises:
        MailpodError: it is, or the account does not answer.
    """
    public = context.account_identity(account).ssh_host_public
    free, messages, _ = map(int, context.channel.account(account.name, public, "room").split())
    needed = _AT_LEAST + messages * _PER_MESSAGE
    if free < needed:
        mib = 1024 * 1024
        raise MailpodError(
            f"the volume of {account.name} has {free // mib} MiB left, the other stack's index needs {needed // mib}",
            "make room on the disk first",
        )
