"""Copies of an account's volume on other machines than the account's own: what a move has begun or left, or is kept.

The record of an account says where it is, and so which copy is the account. It names every other one before that is
made and until it is destroyed: what is on no record is never touched.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from mailpod.model import layout
from mailpod.model.depot import LOCKS
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import Account, now
from mailpod.model.spec import WorkloadSpec
from mailpod.services.context import Context
from mailpod.services.handing_over import hand_over

# Of a name with a time after it, which is a DNS label too.
_LONGEST_NAME = 40
_SET_ASIDE = "-until-"


class Busy(MailpodError):
    """Another command carries this account, or its backups."""


@contextlib.contextmanager
def alone(context: Context, account: Account) -> Iterator[None]:
    """Keep every other command from carrying this account meanwhile; what one has left that was killed, ends.

    Raises:
        Busy: another one is at it.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(context.store.lock(f"move-{account.id}", seconds=0))
        except MailpodError as error:
            raise Busy(f"another command works on {account.name}", "wait until it is done") from error
        context.engine.remove_helpers(context.instance, account.id)
        yield


def at(context: Context, account: Account, node: str) -> WorkloadSpec:
    """The account's container as it would be on a machine, which names its volume there."""
    return context.account_spec(account.model_copy(update={"node": node}))


def on_record(context: Context, but: str = "") -> set[str]:
    """Names of all volumes that the record of an account, deleted or not, names; `but` is the id of one left out."""
    known = (one for one in _known(context) if one.id != but)
    return {volume for account in known for volume in layout.account_volumes(context.instance, account)}


def earlier(context: Context, account: Account) -> list[Account]:
    """The accounts, deleted or brought back, that are what restorings have replaced of this one, and of those."""
    found: list[Account] = []
    looked_at = [account]
    while looked_at:
        later = looked_at.pop()
        ids = {account.id, *(one.id for one in found)}
        more = [one for one in _known(context) if one.id not in ids and _was(context, one, later)]
        found += more
        looked_at += more
    return found


def _was(context: Context, one: Account, later: Account) -> bool:
    # Records that are older than `was` show it by their names.
    return one.was == later.id or (_SET_ASIDE in one.name and layout.is_volume_for(context.instance, later, one.volume))


def require_none(context: Context, spec: WorkloadSpec) -> None:
    """Refuse a machine that has a volume of this name already; raises `MailpodError`."""
    if not context.engine.holds(spec):
        return
    place = spec.volume, spec.node
    owner = next((one for one in _known(context) if place in _places(context, one)), None)
    what = f"{spec.node or 'the engine'} has a volume {spec.volume} already, "
    if owner:
        raise MailpodError(
            f"{what}which is {owner.name}'s", f"choose another machine; see: mailpod account show {owner.name}"
        )
    raise MailpodError(
        f"{what}of which nothing is known", f"look at it there, then remove it: docker volume rm {spec.volume}"
    )


def destroy(context: Context, account: Account) -> None:
    """Destroy every volume that the account's record names, on the machines that it names and that are up.

    What the record of another account names on a machine as well is that one's, and stays.
    """
    others = {place for one in _known(context) if one.id != account.id for place in _places(context, one)}
    up = context.engine.up()
    for volume, node in sorted(_places(context, account) - others):
        if node in up or context.system.engine == "docker":
            context.engine.discard(with_volume(context, account.model_copy(update={"node": node}), volume))


def _known(context: Context) -> list[Account]:
    return [*context.store.accounts(), *context.store.deleted()]


def _places(context: Context, account: Account) -> set[tuple[str, str]]:
    """The volumes that a record names, each with every machine that it can be on."""
    nodes = {account.node, *account.copies, *account.kept}
    return set(product(layout.account_volumes(context.instance, account), nodes))


def record(context: Context, account: Account, **changes: object) -> Account:
    """Change an account's record, deleted or not, whatever else has changed of it.

    Raises:
        NotFound: it is gone.
    """
    store = context.store
    with store.lock():
        found = store.deleted() if account.deleted else store.accounts()
        there = next((one for one in found if one.id == account.id), None)
        if there is None:
            raise NotFound(f"{account.name} is not there any more", "see: mailpod account list")
        changed = there.model_copy(update=changes)
        save = store.save_deleted if account.deleted else store.save_account
        save(changed)
    return changed


def clear(context: Context, account: Account) -> Account:
    """Destroy the copies that the account's record names, as far as their machines are up.

    Returns:
        The account as it is on record then.

    Raises:
        MailpodError: the account itself is not where its record says; nothing is destroyed.
    """
    up = context.engine.up()
    there = {machine.name for machine in context.engine.machines()}
    # With a machine that has left the Swarm, what it had is gone.
    gone = [node for node in account.copies if node not in there]
    if account.node in up:
        reached = [node for node in account.copies if node in up and node != account.node]
        if reached and not context.engine.holds(at(context, account, account.node)):
            raise MailpodError(
                f"{account.name} has no volume on {account.node}, but one on {', '.join(reached)}",
                "look at it there; nothing is destroyed",
            )
        for node in reached:
            context.engine.discard(at(context, account, node))
        gone += reached
    if not gone:
        return account
    return record(context, account, copies=tuple(node for node in account.copies if node not in gone))


def leftovers(context: Context) -> list[Callable[[], None]]:
    """What is to be done about moves that were cut short, a call each."""
    at_work = context.engine.helpers(context.instance)
    known = _known(context)
    strays = at_work - {account.id for account in known} - {*LOCKS}
    remove = partial(context.engine.remove_helpers, context.instance)
    return [
        *(partial(_tidy, context, account) for account in known if _unsettled(account) or account.id in at_work),
        *(partial(_look_after, context, account) for account in known if account.kept),
        *(partial(remove, one) for one in strays),
        *(partial(_end_beside, context, one) for one in LOCKS if one in at_work),
    ]


def _end_beside(context: Context, there_for: str) -> None:
    """End what commands that were killed have left beside repositories, unless somebody is at work there."""
    with contextlib.suppress(MailpodError), context.store.lock(LOCKS[there_for], seconds=0):
        context.engine.remove_helpers(context.instance, there_for)


def _tidy(context: Context, account: Account) -> None:
    with contextlib.suppress(Busy), alone(context, account):
        settle_volumes(context, clear(context, account))


def _unsettled(account: Account) -> bool:
    return bool(account.copies or account.restoring or account.replaced)


def settle_volumes(context: Context, account: Account) -> Account:
    """End what a restoring has begun: what was not filled is destroyed, what was replaced is a deleted account's.

    What waited there goes on from the account, once that runs: a frozen one keeps it until `apply` after its thaw.

    Returns:
        The account as it is on record then.

    Raises:
        MailpodError: the account cannot be reached.
    """
    if account.restoring:
        context.engine.discard(with_volume(context, account, account.restoring))
        account = record(context, account, restoring="")
    if account.replaced and (account.deleted or not account.frozen):
        if not _is_set_aside(context, account.replaced):
            hand_over(context, account, with_volume(context, account, account.replaced))
        account = set_aside(context, account)
    return account


def set_aside(context: Context, account: Account) -> Account:
    """Let what a restoring has replaced, with what waits there, be a deleted account's.

    Returns:
        The account as it is on record then.
    """
    if account.replaced:
        if not _is_set_aside(context, account.replaced):
            context.store.save_deleted(as_it_was(account, account.replaced))
        # What is kept on other machines is as the volume that was replaced.
        account = record(context, account, replaced="", kept=())
    return account


def _is_set_aside(context: Context, volume: str) -> bool:
    return volume in {one.volume for one in context.store.deleted()}


def with_volume(context: Context, account: Account, volume: str) -> WorkloadSpec:
    """The account's container as it would be with another volume, on the machine where it is."""
    return context.account_spec(account.model_copy(update={"volume": volume}))


def as_it_was(account: Account, volume: str) -> Account:
    """A deleted account of another name and id, whose volume is one that was the account's."""
    moment = now()
    return account.another(
        f"{account.name[:_LONGEST_NAME]}{_SET_ASIDE}{moment:%Y%m%d-%H%M%S}",
        created=account.created,
        deleted=moment,
        was=account.id,
        volume=volume,
        network=account.network,
        node=account.node,
        kept=account.kept,
        image=account.image,
    )


def _look_after(context: Context, account: Account) -> None:
    """Forget what was kept and somebody has removed since."""
    up = context.engine.up()
    gone = [node for node in account.kept if node in up and not context.engine.holds(at(context, account, node))]
    if gone:
        record(context, account, kept=tuple(node for node in account.kept if node not in gone))
