"""Machines of a Swarm that do not answer, and what has to wait for them."""

from mailpod.model.errors import MailpodError
from mailpod.model.records import Account
from mailpod.services.context import Context


def down(context: Context) -> dict[str, str]:
    """The machines that are down, each with the time since when (ISO 8601)."""
    return {machine.name: machine.since for machine in context.engine.machines() if machine.state == "down"}


def require_reachable(context: Context, account: Account) -> None:
    """Refuse what only an account can do whose machine answers; raises `MailpodError`."""
    if not account.node:
        return
    since = down(context).get(account.node)
    if since:
        raise MailpodError(
            f"{account.name} is on {account.node}, which is down since {since}",
            "mail for it waits at main; see: mailpod node list",
        )
