"""Moving an account to another machine of a Swarm."""

from mailpod.model.errors import AlreadyExists
from mailpod.model.records import Account
from mailpod.services import copies
from mailpod.services.accounts import AccountView, show
from mailpod.services.carrying import carry, settle
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import require_main
from mailpod.services.nodes import choose, require_swarm
from mailpod.services.reachable import require_reachable


def move(context: Context, name: str, node: str) -> AccountView:
    """Move an account with mail, password, keys, queue and UIDs; it is away for some seconds, its mail waits at main.

    Where another move of it was cut short, this one goes on or finishes it.

    Args:
        node: the machine of the Swarm that it is to be on.

    Raises:
        NotFound: there is no such account.
        AlreadyExists: it is on that machine.
        InvalidInput: there is no such machine.
        MailpodError: that one takes no accounts or has no room, or the account is frozen or cannot be reached; or it
            could not be moved, and is where it was.
    """
    context.require_system()
    require_swarm(context)
    account = context.store.account(name.lower())
    require_thawed(account)
    if account.node == node and not account.copies:
        raise AlreadyExists(f"{account.name} is on {node}", f"see: mailpod account show {account.name}")
    if account.node != node:
        choose(context, [one for one in context.store.accounts() if one.id != account.id], node)
    require_reachable(context, account)
    require_main(context)
    with copies.alone(context, account):
        account = copies.record(context, account)
        if account.node == node:
            _finish(context, account)
        else:
            carry(context, account, node)
    return show(context, account.name)


def _finish(context: Context, account: Account) -> None:
    """End a move that was cut short when the account was on its new machine already."""
    with context.lock("converge"):
        settle(context, account)
        copies.clear(context, account)
