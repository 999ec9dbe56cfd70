"""Making an account whose volume is not empty at first: it comes from a file, or from another account."""

import contextlib
from collections.abc import Callable, Iterable

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.records import MIB, Account, now
from mailpod.services import accounts, copies
from mailpod.services.accounts import AccountView
from mailpod.services.carrying import SPARE
from mailpod.services.context import Context
from mailpod.services.images import ACCOUNT, ensure_images
from mailpod.services.installation import make_room, require_main
from mailpod.services.telling import Teller


def prepare(context: Context, account: Account) -> None:
    """Refuse what cannot be before anything is touched, and have ready what takes time.

    Raises:
        AlreadyExists: the name is an account's or an alias's.
        MailpodError: main does not run.
    """
    require_main(context)
    accounts.check_free(context, account.name)
    ensure_images(context.engine, context.progress, [ACCOUNT[account.stack]])
    make_room(context)


def identify(context: Context, account: Account) -> None:
    """Make the keys of an account that is new."""
    context.account_identity(account)
    context.signing.keys(account.id)


def arrive(
    context: Context,
    account: Account,
    node: str | None,
    size: int,
    tree: Callable[[], Iterable[bytes]],
    *,
    identify: Callable[[Account], object],
    more: Callable[[], Iterable[File]] = tuple,
) -> AccountView:
    """Make an account of what is to be on its volume; `prepare` has been called.

    Args:
        account: without a network and a machine.
        node: the machine of a Swarm that it is to be on; the one with most room when nothing is said.
        size: about how many bytes the tree takes on a disk.
        tree: gives the tree of its volume as a tar in pieces.
        identify: makes its keys.
        more: gives what its volume gets beside the tree and the files of every account.

    Raises:
        AlreadyExists: the name is an account's or an alias's.
        MailpodError: there is no room for it, or it could not be brought up; nothing is left of it.
    """
    with context.lock("converge", shared=True):
        with context.store.lock():
            accounts.check_free(context, account.name)
            account = accounts.placed(context, account, node)
            require_disk(context, account, size)
            # Until all of it is there, what there is of it is to be destroyed.
            context.store.save_deleted(account.model_copy(update={"deleted": now(), "purge": True}))
        try:
            with copies.alone(context, account):
                context.progress(f"unpacking {account.name}, {size // MIB} MiB")
                told = Teller(context.progress, "unpacked", size)
                identify(account)
                context.engine.unpack_volume(copies.at(context, account, account.node), told.pieces(tree()))
            with context.store.lock():
                context.store.save_account(account)
                context.store.forget_deleted(account.id)
            accounts.bring_up(context, account, more)
        except BaseException:
            context.progress(f"undoing {account.name}")
            with contextlib.suppress(MailpodError):
                accounts.retire(context, account, purge=True)
            raise
    return accounts.show(context, account.name)


def require_disk(context: Context, account: Account, size: int) -> None:
    """Refuse a machine whose disk has no room for so many bytes, or has a volume of the account's name."""
    spec = copies.at(context, account, account.node)
    copies.require_none(context, spec)
    free = context.engine.room(spec)
    if size + SPARE > free:
        raise MailpodError(
            f"{account.node or 'the disk'} has {free // MIB} MiB free, {account.name} takes {size // MIB}",
            "make room there first",
        )
