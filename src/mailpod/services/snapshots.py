"""Which backups there are."""

from mailpod.model.backup import SYSTEM, Snapshot
from mailpod.model.depot import MISSING, DepotError
from mailpod.model.errors import NotFound
from mailpod.model.records import Account
from mailpod.services import depots
from mailpod.services.context import Context


def listed(context: Context, names: tuple[str, ...] = ()) -> dict[str, list[Snapshot]]:
    """The backups of these accounts, or of all there are and of the state folder (`system`), the oldest first.

    Raises:
        NotFound: there is no such account, or no backup is set up.
        DepotError: a repository cannot be read.
    """
    context.require_system()
    depots.plan(context)
    accounts = {known(context, name).name: known(context, name).id for name in names} or {
        **{account.name: account.id for account in context.store.accounts()},
        SYSTEM: SYSTEM,
    }
    return {name: of(context, element) for name, element in accounts.items()}


def of(context: Context, element: str) -> list[Snapshot]:
    """The backups of one element, the oldest first; none when there is no repository yet."""
    try:
        return depots.snapshots(context, depots.of(context, element))
    except DepotError as problem:
        if problem.code != MISSING:
            raise
        return []


def known(context: Context, name: str) -> Account:
    """The account of this name, or the one that was deleted last and is not destroyed.

    Raises:
        NotFound: there is none.
    """
    wanted = name.lower()
    try:
        return context.store.account(wanted)
    except NotFound:
        deleted = [one for one in context.store.deleted() if one.name == wanted and not one.purge]
        if not deleted:
            raise
        return deleted[-1]
