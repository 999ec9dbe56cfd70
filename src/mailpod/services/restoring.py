"""Bringing an account back from a backup: in its own place, or under another name beside it."""

import contextlib
from collections.abc import Iterator
from itertools import chain

from mailpod.model import layout
from mailpod.model.archive import tar_begin
from mailpod.model.backup import Snapshot, chosen
from mailpod.model.depot import Depot
from mailpod.model.errors import MailpodError
from mailpod.model.names import account_name
from mailpod.model.records import MIB, Account
from mailpod.services import accounts, arriving, copies, depots, queues, snapshots
from mailpod.services.accounts import AccountView
from mailpod.services.carrying import SPARE, bring_up, may_run, settle
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.holding import held
from mailpod.services.images import ACCOUNT
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import push_tables, remove_container
from mailpod.services.telling import Teller


def restore(context: Context, name: str, at: str) -> AccountView:
    """Have an account be as it was at a backup; it runs as it is until all of that is there, then is away for seconds.

    Nothing is lost: what it is now becomes a deleted account of its own, named after it and the time, for undelete, but
    for what waits in its queue, which goes on. An account that was deleted comes back.

    Args:
        at: which backup; see `mailpod.model.backup.chosen`.

    Raises:
        NotFound: there is no such account, or no such backup of it.
        DepotError: the repository cannot be reached, is damaged, or its key is another.
        MailpodError: the account is frozen, there is no room, or it could not be brought up; it is as it was.
    """
    require_main(context)
    account = snapshots.known(context, name)
    if account.deleted:
        return restore_as(context, name, account.name, at)
    require_thawed(account)
    require_reachable(context, account)
    depot, snapshot = found(context, account, at)
    ensure_image(context, account)
    with copies.alone(context, account):
        account = copies.settle_volumes(context, copies.record(context, account))
        _require_room(context, account, snapshot)
        volume = layout.another_volume(context.instance, account)
        # Nobody who would write the record back as it was before is at work.
        with context.lock("converge"):
            account = copies.record(context, account, restoring=volume)
        try:
            context.progress(f"restoring {account.name} as of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S}")
            target = copies.with_volume(context, account, volume)
            context.engine.unpack_volume(target, tree(context, depot, snapshot))
            with context.lock("converge"):
                _switch(context, copies.record(context, account))
        except BaseException:
            _end(context, account)
            raise
        try:
            copies.settle_volumes(context, copies.record(context, account))
        except MailpodError as problem:
            context.progress(f"what waited in {account.name} waits still, until: mailpod apply ({problem.what})")
        # What is deleted is in them too.
        push_tables(context)
        _tell_of_held(context, account)
    return accounts.show(context, account.name)


def _end(context: Context, account: Account) -> None:
    """Undo a restoring that failed or was interrupted; finish it when the account's record names the new volume."""
    with contextlib.suppress(MailpodError):
        now = copies.record(context, account)
        restored = now.volume == account.restoring
        does = "is as it was at the backup already: finishing" if restored else "stays as it is: undoing"
        context.progress(f"{account.name} {does} the restoring")
        if may_run(now):
            with context.lock("converge"):
                settle(context, now)
        copies.settle_volumes(context, now)
    with contextlib.suppress(MailpodError):
        push_tables(context)


def restore_as(context: Context, name: str, new: str, at: str) -> AccountView:
    """Make another account of what a backup has of one, with its password, limits and SSH keys.

    Args:
        new: the name it is to have.
        at: which backup.

    Raises:
        AlreadyExists: the new name is an account's or an alias's.
        NotFound, DepotError, MailpodError: as for `restore`; nothing is left of it.
    """
    context.require_system()
    wanted = account_name(new)
    source = snapshots.known(context, name)
    fresh = source.another(wanted, image=ACCOUNT[source.stack].tag)
    arriving.prepare(context, fresh)
    depot, snapshot = found(context, source, at)
    view = arriving.arrive(
        context,
        fresh,
        None,
        snapshot.size,
        lambda: tree(context, depot, snapshot, source.fqdn(context.system.domain)),
        identify=context.account_identity,
    )
    _tell_of_held(context, fresh)
    return view


def found(context: Context, account: Account, at: str) -> tuple[Depot, Snapshot]:
    """The repository of an account's backups, found whole, and the backup that is meant."""
    depot = depots.of(context, account.id)
    snapshot = chosen(depots.snapshots(context, depot), at)
    context.progress(f"checking the backups of {account.name}")
    depots.run(context, depot, "check")
    return depot, snapshot


def _tell_of_held(context: Context, account: Account) -> None:
    """Say what was on its way out when the backup was made; nothing when it does not answer."""
    with contextlib.suppress(MailpodError):
        held = [message for message in queues.of(context, account) if message.queue == queues.HELD]
        if held:
            context.progress(
                f"{len(held)} messages that were to leave at the time of the backup are on hold in {account.name}: "
                "most likely they have left since; see: mailpod queue list"
            )


def tree(context: Context, depot: Depot, snapshot: Snapshot, former: str = "") -> Iterator[bytes]:
    """What is to be on a volume, as a tar in pieces.

    Args:
        former: the name (FQDN) of the account that it was of, if it is to be another's.
    """
    told = Teller(context.progress, "restored", snapshot.size)
    return marked(told.pieces(depots.stream(context, depot, "dump", snapshot.id, "/")), former)


def marked(pieces: Iterator[bytes], former: str = "") -> Iterator[bytes]:
    """The tree of a volume as it was earlier, with what tells the account so at its first start there.

    Args:
        former: as for `tree`.
    """
    return chain([tar_begin([layout.restored_file(former)])], pieces)


def _require_room(context: Context, account: Account, snapshot: Snapshot) -> None:
    free = context.engine.room(copies.at(context, account, account.node))
    if snapshot.size + SPARE > free:
        raise MailpodError(
            f"{account.node or 'the disk'} has {free // MIB} MiB free, the backup takes {snapshot.size // MIB}",
            "make room there first",
        )


def _switch(context: Context, account: Account) -> None:
    """From the moment that the record is written, the volume that was filled is the account's."""
    before = layout.account_volume(context.instance, account)
    with held(context, account):
        remove_container(context, account)
        restored = copies.record(context, account, volume=account.restoring, restoring="", replaced=before)
        try:
            bring_up(context, restored)
        except MailpodError:
            context.progress(f"{account.name} does not come up with the backup, and goes on as it was")
            remove_container(context, restored)
            # What it has taken meanwhile would be lost; main has nothing for it before its servers answer.
            bring_up(context, copies.record(context, restored, volume=before, restoring=restored.volume, replaced=""))
            raise
