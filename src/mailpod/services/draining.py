"""Emptying a machine of a Swarm, letting it take accounts again, and giving it up."""

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import Account
from mailpod.model.spec import Machine
from mailpod.services import copies
from mailpod.services.carrying import carry
from mailpod.services.context import Context
from mailpod.services.installation import require_main
from mailpod.services.nodes import choose, main_node, require_swarm
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import main_runs, push_tables


def drain(context: Context, node: str) -> bool:
    """Let a machine take no accounts, and move away those it has, frozen and deleted ones too.

    Returns:
        Whether main stays there.

    Raises:
        NotFound: there is no such machine.
        MailpodError: some could not be moved, all others were; or no other machine takes accounts.
    """
    require_machine(context, node)
    require_main(context)
    _mark(context, node, drained=True)
    problems: list[MailpodError] = []
    failed: set[str] = set()
    while rest := [account for account in _there(context, node) if account.id not in failed]:
        account = rest[0]
        try:
            _move_away(context, account)
        except MailpodError as problem:
            context.progress(f"{account.name}: {problem.what}")
            problems.append(problem)
            failed.add(account.id)
    if problems:
        raise MailpodError(
            f"{len(problems)} accounts are still on {node}: {problems[0].what}", f"then: mailpod node drain {node}"
        )
    if main_node(context) == node:
        return True
    context.engine.set_available(node, available=False)
    return False


def undrain(context: Context, node: str) -> None:
    """Let a machine take accounts again; raises `NotFound` when there is none of that name."""
    require_machine(context, node)
    context.engine.set_available(node, available=True)
    _mark(context, node, drained=False)


def remove(context: Context, node: str) -> str:
    """Give up a machine that has no account: it leaves the Swarm, and nothing of it is on record any more.

    Returns:
        Where it is reached by SSH (`USER@ADDRESS`); empty when that is not known.

    Raises:
        NotFound: there is no such machine.
        MailpodError: it has accounts, or main, or is the one that mailpod works on.
    """
    machine = require_machine(context, node)
    if machine.here or main_node(context) == node:
        raise MailpodError(f"{node} is the machine that main is on", "it stays")
    if there := _there(context, node):
        step = "account recover NAME --node NODE" if machine.state == "down" else f"node drain {node}"
        raise MailpodError(f"{node} has {', '.join(account.name for account in there)}", f"first: mailpod {step}")
    known = context.store.find_node(node)
    context.progress(f"{node} leaves the Swarm")
    context.engine.remove_machine(node)
    with context.lock("system"):
        context.look_again()
        prefixes = {name: prefix for name, prefix in context.system.prefixes.items() if name != node}
        drained = tuple(name for name in context.system.drained if name != node)
        context.adopt(context.system.model_copy(update={"prefixes": prefixes, "drained": drained}))
    for account in context.store.accounts():
        if node in account.kept:
            copies.record(context, account, kept=tuple(one for one in account.kept if one != node))
    context.store.forget_node(node)
    _let_main_know(context)
    return known.target if known else ""


def require_machine(context: Context, node: str) -> Machine:
    """The machine of that name; raises `NotFound` when there is none."""
    context.require_system()
    require_swarm(context)
    for machine in context.engine.machines():
        if machine.name == node:
            return machine
    raise NotFound(f"there is no machine {node!r}", "see: mailpod node list")


def _there(context: Context, node: str) -> list[Account]:
    """The accounts whose volume is on a machine: those that are deleted and kept come last."""
    known = [*context.store.accounts(), *context.store.deleted()]
    return [account for account in known if account.node == node and not account.purge]


def _move_away(context: Context, account: Account) -> None:
    others = [one for one in context.store.accounts() if one.id != account.id]
    target = choose(context, others)
    require_reachable(context, account)
    with copies.alone(context, account):
        account = copies.record(context, account)
        carry(context, account, target)


def _mark(context: Context, node: str, *, drained: bool) -> None:
    with context.lock("system"):
        context.look_again()
        others = tuple(name for name in context.system.drained if name != node)
        context.adopt(context.system.model_copy(update={"drained": (*others, node) if drained else others}))
        _let_main_know(context)


def _let_main_know(context: Context) -> None:
    """Of what it keeps a copy of."""
    if main_runs(context):
        push_tables(context)
