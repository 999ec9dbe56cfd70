"""Moving an account to another system, by a file that somebody carries."""

import contextlib
import os
from pathlib import Path

from mailpod.model import layout
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.names import account_name
from mailpod.model.records import MIB, Account, new_id, now
from mailpod.services import account_file, accounts, copies
from mailpod.services.account_file import Packed
from mailpod.services.accounts import AccountView
from mailpod.services.carrying import SPARE, settle
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.images import ACCOUNT, ensure_images
from mailpod.services.installation import make_room, require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import remove_container


def to_file(context: Context, name: str, path: Path, *, keep: bool) -> Account:
    """Write an account to a file, with mail, password, keys and queue; it is stopped meanwhile, its mail waits at main.

    Args:
        keep: it goes on here afterwards. Else it is deleted, and its volume kept for undelete.

    Raises:
        NotFound: there is no such account.
        AlreadyExists: there is a file of that name.
        MailpodError: it is frozen or cannot be reached, or could not be written; then it goes on here.
    """
    context.require_system()
    account = context.store.account(name.lower())
    require_thawed(account)
    account_file.require_free(path)
    require_reachable(context, account)
    require_main(context)
    account = ensure_image(context, account)
    spec = copies.at(context, account, account.node)
    needed, disk = context.engine.size(spec), os.statvfs(path.parent)
    if needed + SPARE > disk.f_bavail * disk.f_frsize:
        raise MailpodError(f"{path.parent} has no room for {needed // MIB} MiB", "give a file on another disk")
    with copies.alone(context, account), context.lock("converge"):
        account = copies.record(context, account)
        identity = context.account_identity(account)
        context.progress(f"stopping {account.name} and writing {needed // MIB} MiB to {path}")
        try:
            remove_container(context, account)
            tree = context.engine.pack_volume(copies.at(context, account, account.node))
            account_file.write(path, account, identity.ssh_host_key, identity.ssh_host_public, tree)
        except BaseException:
            settle(context, account)
            raise
        if keep:
            settle(context, account)
        else:
            accounts.retire(context, account, purge=False)
    return account


def from_file(context: Context, name: str, path: Path, node: str | None = None) -> AccountView:
    """Make the account that is in a file one of this system's.

    It keeps its id unless that has been given here before.

    Args:
        node: the machine of a Swarm that it is to be on.

    Raises:
        InvalidInput: the file is none, damaged, or another account's.
        AlreadyExists: the name is an account's or an alias's.
        MailpodError: there is no room for it, or it could not be brought up; nothing is left of it.
    """
    wanted = account_name(name)
    packed = account_file.read(path)
    if packed.account.name != wanted:
        raise InvalidInput(
            f"{path} has the account {packed.account.name!r}", f"say: account move {packed.account.name}"
        )
    require_main(context)
    accounts.check_free(context, wanted)
    ensure_images(context.engine, context.progress, [ACCOUNT[packed.account.stack]])
    make_room(context)
    with context.lock("converge", shared=True):
        with context.store.lock():
            accounts.check_free(context, wanted)
            account = accounts.placed(context, _fresh(context, packed.account), node)
            require_disk(context, account, packed)
            # Until all of it is there, what there is of it is to be destroyed.
            context.store.save_deleted(account.model_copy(update={"deleted": now(), "purge": True}))
        try:
            with copies.alone(context, account):
                context.progress(f"unpacking {account.name}, {packed.size // MIB} MiB")
                names = layout.account_names(context.system, account)
                context.keys.adopt(account.id, packed.ssh_host_key, packed.ssh_host_public, names)
                context.engine.unpack_volume(copies.at(context, account, account.node), packed.tree())
            with context.store.lock():
                context.store.save_account(account)
                context.store.forget_deleted(account.id)
            accounts.bring_up(context, account)
        except BaseException:
            context.progress(f"undoing {account.name}")
            with contextlib.suppress(MailpodError):
                accounts.retire(context, account, purge=True)
            raise
    return accounts.show(context, wanted)


def require_disk(context: Context, account: Account, packed: Packed) -> None:
    """Refuse a machine whose disk has no room for what is in a file, or has a volume of that name."""
    spec = copies.at(context, account, account.node)
    if context.engine.holds(spec):
        raise MailpodError(
            f"there is a volume {spec.volume} already", f"look at it, then: docker volume rm {spec.volume}"
        )
    free = context.engine.room(spec)
    if packed.size + SPARE > free:
        raise MailpodError(
            f"{account.node or 'the disk'} has {free // MIB} MiB free, {account.name} takes {packed.size // MIB}",
            "make room there first",
        )


def _fresh(context: Context, account: Account) -> Account:
    """The account without what was another system's; an id is never given twice."""
    taken = {one.id for one in (*context.store.accounts(), *context.store.deleted())}
    identity = new_id() if account.id in taken else account.id
    ours = {"id": identity, "image": ACCOUNT[account.stack].tag, "image_before": ""}
    nowhere = {"network": 0, "node": "", "copies": (), "kept": (), "deleted": None, "purge": False}
    return account.model_copy(update=ours | nowhere)
