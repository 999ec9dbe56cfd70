"""Making a second account of one that runs on, to try a migration, a filter, a new stack."""

from typing import Unpack

from mailpod.model import layout
from mailpod.model.names import account_name
from mailpod.model.records import Limits
from mailpod.services import arriving, copies
from mailpod.services.accounts import AccountView
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.passwords import check_password, hash_password
from mailpod.services.reachable import require_reachable


def clone(
    context: Context, name: str, new: str, password: str, *, node: str | None = None, **limits: Unpack[Limits]
) -> AccountView:
    """Make an account with the mail, files and filters another one has at this moment; that one runs on.

    It has an id and keys of its own, and nothing of the other's queue, passwords and places in aliases.

    Args:
        name: of the account that is there.
        new: of the one that is made.
        password: of the one that is made.
        node: the machine of a Swarm that it is to be on; the one with most room when nothing is said.
        limits: what it has otherwise than the other.

    Raises:
        InvalidInput: the new name or the password cannot be accepted.
        NotFound: there is no such account.
        AlreadyExists: the new name is an account's or an alias's.
        MailpodError: the account is frozen or cannot be reached, there is no room, or the new one could not be made;
            nothing is left of it.
    """
    wanted = account_name(new)
    check_password(password)
    context.require_system()
    source = context.store.account(name.lower())
    require_thawed(source)
    require_reachable(context, source)
    account = source.another(wanted, image=source.image, **limits)
    arriving.prepare(context, account)
    with copies.alone(context, source):
        spec = copies.at(context, source, source.node)
        size = context.engine.size(spec)
        return arriving.arrive(
            context,
            account,
            node,
            size,
            lambda: context.engine.snapshot_home(spec),
            identify=lambda there: arriving.identify(context, there),
            more=lambda: [layout.password_file(hash_password(password))],
        )
