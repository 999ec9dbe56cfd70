"""Moving an account to another system, by a file that somebody carries."""

from pathlib import Path

from mailpod.model import layout
from mailpod.model.errors import InvalidInput
from mailpod.model.names import account_name
from mailpod.model.records import MIB, Account, new_id
from mailpod.services import account_file, accounts, arriving, copies, restoring
from mailpod.services.accounts import AccountView
from mailpod.services.carrying import SPARE, settle
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.images import ACCOUNT
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import remove_container
from mailpod.services.whole_file import require_free, require_space


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
    require_free(path)
    require_reachable(context, account)
    require_main(context)
    account = ensure_image(context, account)
    spec = copies.at(context, account, account.node)
    needed = context.engine.size(spec)
    require_space(path, needed + SPARE)
    with copies.alone(context, account), context.lock("converge"):
        account = copies.record(context, account)
        identity = context.account_identity(account)
        context.progress(f"stopping {account.name} and writing {needed // MIB} MiB to {path}")
        try:
            remove_container(context, account)
            tree = context.engine.pack_volume(copies.at(context, account, account.node))
            keys = identity.ssh_host_key, identity.ssh_host_public
            account_file.write(path, account, *keys, tree, goes_on=keep)
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
    account = _ours(context, packed.account)
    arriving.prepare(context, account)

    def identify(there: Account) -> None:
        names = layout.account_names(context.system, there)
        context.keys.adopt(there.id, packed.ssh_host_key, packed.ssh_host_public, names)

    # What waited to leave does so from where it went on.
    tree = (lambda: restoring.marked(packed.tree())) if packed.goes_on else packed.tree
    return arriving.arrive(context, account, node, packed.size, tree, identify=identify)


def _ours(context: Context, account: Account) -> Account:
    """The account without what was another system's; an id, and a volume's name, is never given twice."""
    ours = account.another(
        account.name,
        id=account.id,
        created=account.created,
        expires=account.expires,
        image=ACCOUNT[account.stack].tag,
    )
    known = {one.id for one in (*context.store.accounts(), *context.store.deleted())}
    taken = ours.id in known or layout.account_volume(context.instance, ours) in copies.on_record(context)
    return ours.model_copy(update={"id": new_id()}) if taken else ours
