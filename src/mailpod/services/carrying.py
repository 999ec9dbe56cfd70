"""Carrying an account to another machine: most of it while it runs, the last difference while it is stopped."""

import contextlib
import time

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.plan import plan
from mailpod.model.records import MIB, Account
from mailpod.services import copies, dns
from mailpod.services.context import Context
from mailpod.services.held_images import ensure_image
from mailpod.services.holding import held
from mailpod.services.reconcile import (
    main_runs,
    make_anew,
    observed_accounts,
    push_tables,
    refresh,
    remove_container,
    take,
)
from mailpod.services.telling import Teller

# As long as a pass takes longer than this, the next one has less to do, and a stop now would be felt.
_SHORT = 2.0
_MOST_PASSES = 5
SPARE = 64 * MIB
"""Bytes that a disk has left, at least, when an account has been written to it: for what comes in meanwhile."""


def carry(context: Context, account: Account, node: str) -> Account:
    """Bring an account, running, frozen or deleted, to another machine; the caller has it `alone`.

    Whatever happens, the account is whole on the machine that its record names, and another copy is on record too.

    Args:
        account: as it is on record.
        node: a machine that takes accounts.

    Returns:
        The account as it is on record then.

    Raises:
        MailpodError: it could not be carried, and is where its record says, as a rule where it was.
    """
    account = ensure_image(context, account)
    needed = _require_room(context, account, node)
    # Nobody who would write the record back as it was before is at work.
    with context.lock("converge"):
        account = copies.settle_volumes(context, copies.record(context, account))
        if account.replaced:
            raise MailpodError(
                f"a restoring of {account.name} has not ended", "let it go on first, then: mailpod apply"
            )
        account = copies.record(context, account, copies=(*_without(account.copies, node), node))
    context.progress(f"copying {account.name} from {account.node} to {node}, {needed // MIB} MiB")
    try:
        if may_run(account):
            _copy_while_it_runs(context, account, node, needed)
        with context.lock("converge"):
            account = _switch(context, _still_there(context, account), node)
    except BaseException:
        _end(context, account, node)
        raise
    try:
        return copies.clear(context, account)
    except MailpodError as problem:
        context.progress(f"the old copy of {account.name} is still there, until: mailpod apply ({problem.what})")
        return account


def _end(context: Context, account: Account, node: str) -> None:
    """Undo a move that failed or was interrupted; finish it when its record says that the account is there already."""
    try:
        now = copies.record(context, account)
        if now.node == node:
            context.progress(f"{account.name} is on {node} already: finishing its move")
            if may_run(now):
                with context.lock("converge"):
                    settle(context, now)
        else:
            context.progress(f"undoing the move of {account.name}")
        copies.clear(context, now)
    except NotFound:
        # Who has deleted it meanwhile has ended the move, or `apply` does.
        return
    except MailpodError as problem:
        context.progress(f"the move of {account.name} is not ended, until: mailpod apply ({problem.what})")


def bring_up(context: Context, account: Account) -> None:
    """Make an account's container on its machine, and wait until its servers answer; its logins are `held`."""
    with context.channel.await_account(account.name) as answered:
        make_anew(context, account)
        dns.tell(context, account)
        answered()


def settle(context: Context, account: Account) -> None:
    """Have an account run where its record says, whatever there is of it."""
    spec = context.account_spec(account)
    with held(context, account):
        for step in plan([spec], [w for w in observed_accounts(context) if w.name == spec.name]):
            take(context, step, {spec.name: account})
        refresh(context, account)
        dns.tell(context, account)


def may_run(account: Account) -> bool:
    """Whether an account's container is to be there."""
    return not account.frozen and not account.deleted


def _require_room(context: Context, account: Account, node: str) -> int:
    """Refuse a machine whose disk is too full, or that has a volume of the same name which no move has made.

    Returns:
        Bytes that the account takes.
    """
    source, target = (copies.at(context, account, one) for one in (account.node, node))
    if node not in account.copies:
        copies.require_none(context, target)
    needed = context.engine.size(source)
    free = context.engine.room(target) + (context.engine.size(target) if context.engine.holds(target) else 0)
    if needed + SPARE > free:
        raise MailpodError(
            f"{node} has {free // MIB} MiB free, {account.name} takes {needed // MIB}",
            "make room there, or choose another machine",
        )
    return needed


def _copy_while_it_runs(context: Context, account: Account, node: str, needed: int) -> None:
    source, target = (copies.at(context, account, one) for one in (account.node, node))
    for _ in range(_MOST_PASSES):
        start = time.monotonic()
        context.engine.copy_volume(source, target, Teller(context.progress, "copied", needed), at_rest=False)
        if time.monotonic() - start < _SHORT:
            break


def _still_there(context: Context, account: Account) -> Account:
    """The account as it is on record now; raises `MailpodError` when it may not be moved any more."""
    context.look_again()
    now = copies.record(context, account)
    if not context.system.running or (now.frozen and not account.frozen) or now.node != account.node:
        raise MailpodError(f"{account.name} has been frozen, or the system stopped, meanwhile", "see: mailpod status")
    return now


def _switch(context: Context, account: Account, node: str) -> Account:
    """Stop the account, copy what is left, and let the other copy be the account; nobody else changes it meanwhile."""
    context.progress(f"stopping {account.name} for the last difference")
    with contextlib.ExitStack() as logins:
        if may_run(account):
            logins.enter_context(held(context, account))
        start = time.monotonic()
        try:
            moved = _carried_at_rest(context, account, node)
        except BaseException:
            logins.close()
            if may_run(account):
                settle(context, copies.record(context, account))
            raise
        if not may_run(moved):
            # Nothing of it reaches main, but for the copy of the records there.
            if main_runs(context):
                push_tables(context)
            return moved
        try:
            bring_up(context, moved)
        except MailpodError:
            context.progress(f"{account.name} does not come up on {node}, and goes back to {account.node}")
            # What it has taken there comes back with it.
            bring_up(context, _carried_at_rest(context, moved, account.node))
            raise
        context.progress(f"{account.name} is on {node}; it was away for {time.monotonic() - start:.1f} s")
    return moved


def _carried_at_rest(context: Context, account: Account, node: str) -> Account:
    """From the moment that the record is written, the copy on the other machine is the account."""
    source, target = (copies.at(context, account, one) for one in (account.node, node))
    remove_container(context, account)
    context.engine.copy_volume(source, target, lambda _count: None, at_rest=True)
    return copies.record(context, account, node=node, copies=(*_without(account.copies, node), account.node))


def _without(nodes: tuple[str, ...], node: str) -> tuple[str, ...]:
    return tuple(one for one in nodes if one != node)
