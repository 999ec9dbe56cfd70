"""Bringing up elsewhere, from a file made earlier, an account whose machine is down."""

import contextlib
from pathlib import Path

from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.services import account_file, copies
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


def recover(context: Context, name: str, node: str, path: Path) -> AccountView:
    """Bring an account up on another machine as it was when a file was made of it.

    What it has taken since is on its old machine alone. When that one is back, the old copy does not run there; it is
    kept, and the account's record names the machine.

    Args:
        node: a machine that takes accounts.
        path: a file that `--to-file` has written of this account.

    Raises:
        NotFound: there is no such account.
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
    choose(context, [one for one in context.store.accounts() if one.id != account.id], account.memory, node)
    if node in account.kept:
        raise MailpodError(
            f"{node} keeps an older copy of {account.name}", "choose another machine, or remove it there"
        )
    packed = account_file.read(path)
    if packed.account.id != account.id:
        raise InvalidInput(f"{path} is not of this {account.name}", "give a file that was made of it")
    require_main(context)
    account = ensure_image(context, account)
    target = copies.at(context, account, node)
    with copies.alone(context, account), context.lock("converge"):
        account = copies.record(context, account)
        others = tuple(one for one in account.copies if one != node)
        if node in account.copies:
            context.engine.discard(target)
        require_disk(context, account.model_copy(update={"node": node}), packed.size)
        copies.record(context, account, copies=(*others, node))
        try:
            context.progress(f"unpacking {account.name} on {node}, as it was in {path}")
            context.engine.unpack_volume(target, packed.tree())
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
