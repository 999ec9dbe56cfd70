"""What ends by itself: guests' accounts when their time is over, and the volumes of deleted ones some time after."""

from dataclasses import dataclass
from datetime import datetime

from mailpod.model.errors import MailpodError
from mailpod.model.records import Account, now
from mailpod.services import accounts
from mailpod.services.context import Context


@dataclass(frozen=True)
class Kept:
    """A deleted account whose volume is kept, since when and until when."""

    account: Account
    deleted: datetime
    until: datetime


def kept(context: Context) -> list[Kept]:
    """Deleted accounts that can be brought back, the oldest first."""
    retention = context.system.retention
    return [
        Kept(account, account.deleted, account.deleted + retention)
        for account in context.store.deleted()
        if account.deleted and not account.purge
    ]


def end_guests(context: Context) -> None:
    """Delete the accounts whose time is over; their volumes are kept as after any deletion.

    Raises:
        MailpodError: one could not be deleted; all others were.
    """
    problems = []
    for account in context.store.accounts():
        if account.expires and account.expires <= now():
            context.progress(f"{account.name} expired at {account.expires.isoformat()}")
            try:
                accounts.delete(context, account.name, purge=False)
            except MailpodError as problem:
                problems.append(problem)
    if problems:
        raise problems[0]


def end_kept(context: Context) -> None:
    """Destroy the volumes, and all else, of accounts that were deleted longer ago than they are kept.

    Raises:
        MailpodError: one could not be destroyed; all others were, and it is tried again.
    """
    problems = []
    for one in kept(context):
        if one.until <= now():
            context.progress(f"{one.account.name} was kept until {one.until.isoformat()}")
            try:
                with context.lock("converge", shared=True):
                    accounts.retire(context, one.account, purge=True)
            except MailpodError as problem:
                problems.append(problem)
    if problems:
        raise problems[0]
