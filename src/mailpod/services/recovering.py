"""Bringing up elsewhere, from a backup or a file made earlier, an account whose machine is down."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import Account
from mailpod.services import account_file, copies, restoring
from mailpod.services.accounts import AccountView, show
from mailpod.services.arriving import require_disk
from mailpod.services.carrying import bring_up
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.holding import held
from mailpod.services.installation import require_main
from mailpod.services.nodes import choose, require_swarm
from mailpod.services.reconcile import remove_container


@dataclass(frozen=True)
class _Source:
    """What the account is to be made of.

    Attributes:
        said: in words.
        size: about how many bytes it takes on a disk.
        tree: gives the tree of its volume as a tar in pieces.
    """

    said: str
    size: int
    tree: Callable[[], Iterator[bytes]]


def recover(context: Context, name: str, node: str, path: Path | None = None, at: str = "") -> AccountView:
    """Bring an account up on another machine as it was at a backup, or when a file was made of it.

    What it has taken since is on its old machine alone. When that one is back, the old copy does not run there; it is
    kept, and the account's record names the machine.

    Args:
        node: a machine that takes accounts.
        path: a file that `--to-file` has written of this account; without one it is a backup.
        at: which backup; see `mailpod.model.backup.chosen`.

    Raises:
        NotFound: there is no such account, or no such backup of it.
        DepotError: the backups cannot be reached, or are damaged.
        InvalidInput: there is no such machine, or the file is none, damaged, or another account's.
        MailpodError: its machine is up, or it is frozen, or there is no room; or it could not be brought up.
    """
    context.require_system()
    require_swarm(context)
    account = context.store.account(name.lower())
    require_thawed(account)
    if any(machine.name == account.node and machine.state != "down" for machine in context.engine.machines()):
        raise MailpodError(
            f"{account.node}, where {account.name} is, is up",
            f"move it: mailpod account move {account.name} --node {node}",
        )
    choose(context, [one for one in context.store.accounts() if one.id != account.id], node)
    if node in account.kept:
        raise MailpodError(
            f"{node} keeps an older copy of {account.name}", "choose another machine, or remove it there"
        )
    source = _of_file(account, path) if path else _of_backup(context, account, at)
    require_main(context)
    account = ensure_image(context, account)
    target = copies.at(context, account, node)
    with copies.alone(context, account), context.lock("converge"):
        # That volume is where the account was.
        account = copies.set_aside(context, copies.record(context, account))
        others = tuple(one for one in account.copies if one != node)
        if node in account.copies:
            context.engine.discard(target)
        require_disk(context, account.model_copy(update={"node": node}), source.size)
        copies.record(context, account, copies=(*others, node))
        try:
            context.progress(f"unpacking {account.name} on {node}, as {source.said}")
            context.engine.unpack_volume(target, source.tree())
        except BaseException:
            with contextlib.suppress(MailpodError):
                context.engine.discard(target)
                copies.record(context, account, copies=others)
            raise
        # From here on, this copy is the account.
        moved = copies.record(context, account, node=node, copies=others, kept=(*account.kept, account.node))
        with held(context, moved):
            remove_container(context, moved)
            bring_up(context, moved)
    return show(context, account.name)


def _of_file(account: Account, path: Path) -> _Source:
    packed = account_file.read(path)
    if packed.account.id != account.id:
        raise InvalidInput(f"{path} is not of this {account.name}", "give a file that was made of it")
    return _Source(f"it was in {path}", packed.size, lambda: restoring.marked(packed.tree()))


def _of_backup(context: Context, account: Account, at: str) -> _Source:
    depot, snapshot = restoring.found(context, account, at)
    moment = f"{snapshot.time.astimezone():%Y-%m-%d %H:%M:%S}"
    return _Source(f"it was at {moment}", snapshot.size, lambda: restoring.tree(context, depot, snapshot))
