"""Bringing the observed state to the desired one; safe to run at any time, twice, and after any crash."""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from mailpod.model import layout, relay_host, state_copy, web
from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.plan import Create, Halt, Remove, Replace, Start, Step, describe, plan
from mailpod.model.records import Account
from mailpod.model.spec import LABEL_ID, LABEL_ROLE, Workload
from mailpod.model.tables import render
from mailpod.services import copies, depots, dns, new_keys, purging, resolving
from mailpod.services import relay_host as relay_service
from mailpod.services.channel import ChannelClosed
from mailpod.services.context import Context
from mailpod.services.held_images import tell_of_trial
from mailpod.services.holding import hurry
from mailpod.services.networks import remove_local
from mailpod.services.reachable import down
from mailpod.services.state_copy import current

_AT_ONCE = 8


def observed_accounts(context: Context) -> list[Workload]:
    """Containers of accounts, as the engine sees them."""
    return [w for w in context.engine.workloads(context.instance) if w.labels.get(LABEL_ROLE) == "account"]


def push_tables(context: Context) -> None:
    """Render main's tables from the desired state of this moment and swap them in.

    Concurrent callers take turns, and each renders after its turn has come: the last swap is the newest state.
    """
    with context.store.lock("tables"):
        context.channel.main("tables", _table_files(context))


def main_files(context: Context) -> list[File]:
    """The files main is to have now."""
    return [*context.main_tls_files(), *_table_files(context)]


def _table_files(context: Context) -> list[File]:
    accounts = context.store.accounts()
    # An account without an identity is one whose `create` stopped early; it has no address before `apply` made one.
    for account in accounts:
        context.account_identity(account)
    # As it is now: another command may have changed it since this one began.
    system = context.store.system()
    tables = render(
        system,
        accounts,
        context.store.aliases(),
        context.keys.relay_secrets(account.id for account in accounts),
        context.signing_keys(),
        [one for one in context.store.deleted() if not one.purge],
    )
    outward = relay_host.render(system, relay_service.credentials(context.store, system))
    found = resolving.tables(context.store, system)
    kept = {state_copy.TABLE: current(context, system).text()}
    return layout.table_files(tables | outward | found | web.render(system, public=context.is_public) | kept)


def steps(context: Context) -> list[Step]:
    """What `converge` would do now to the accounts' containers."""
    accounts = context.store.accounts()
    desired = [context.account_spec(account) for account in accounts if not account.frozen]
    frozen = [_container(context, account) for account in accounts if account.frozen]
    return plan(desired, observed_accounts(context), frozen, down(context))


def converge(context: Context) -> list[Step]:
    """Make every account's container as desired, give each its files, then give main its tables.

    Accounts on machines that are down are left as they are.

    Returns:
        The steps that were taken.

    Raises:
        MailpodError: an account could not be brought up; all others were.
    """
    with context.lock("converge"):
        return _converge(context)


def _converge(context: Context) -> list[Step]:
    _finish_deletions(context)
    _name_machines(context)
    away = down(context)
    here = [account for account in context.store.accounts() if account.node not in away]
    for node, since in away.items():
        context.progress(f"{node} is down since {since}; its accounts stay as they are until it is back")
    accounts = {_container(context, account): account for account in here if not account.frozen}
    taken = steps(context)
    there = {workload.name: workload.image for workload in observed_accounts(context)}
    problems: list[MailpodError] = []
    for step in taken:
        context.progress(describe(step))
        with _collected(problems):
            take(context, step, accounts)
            if isinstance(step, Replace):
                tell_of_trial(context, accounts[step.spec.name].name, there[step.spec.name], step.spec.image)
    for tidy in copies.leftovers(context):
        with _collected(problems):
            tidy()
    _finish_purges(context)
    _forget_old_keys(context)
    relay_service.forget_others(context.store)
    push_tables(context)
    with _collected(problems):
        announce(context)
    if accounts:
        context.progress(f"checking {len(accounts)} accounts")
        problems += _refresh_all(context, accounts.values())
    remove_local(context)
    if taken:
        # What waited for an account that was down need not wait for its next turn.
        hurry(context)
    if problems:
        raise problems[0]
    return taken


def announce(context: Context, *, strict: bool = False) -> None:
    """Have whoever serves the zone know of everything, then let new keys sign that can be found there.

    Args and errors as of `dns.publish`, and `MailpodError` when main does not take its tables.
    """
    dns.publish(context, strict=strict)
    if new_keys.begin(context):
        push_tables(context)


def renew_keys(context: Context) -> None:
    """Renew certificates before their end and drop signing keys after theirs, for main and what accounts run.

    Raises:
        MailpodError: main or an account could not be told; all others were.
    """
    with context.lock("converge", shared=True):
        _forget_old_keys(context)
        context.channel.main("deploy", main_files(context))
        up = {w.labels.get(LABEL_ID) for w in observed_accounts(context) if w.state == "running"}
        problems = _refresh_all(context, [account for account in context.store.accounts() if account.id in up])
    if problems:
        raise problems[0]


def _forget_old_keys(context: Context) -> None:
    for owner in context.signers().values():
        context.signing.forget_old(owner)


def _refresh_all(context: Context, accounts: Iterable[Account]) -> list[MailpodError]:
    """Give every one of these accounts its files; what went wrong."""
    problems: list[MailpodError] = []

    def check(account: Account) -> None:
        with _collected(problems):
            refresh(context, account)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(check, accounts))
    return problems


@contextlib.contextmanager
def _collected(problems: list[MailpodError]) -> Iterator[None]:
    """One account that cannot be brought up must not keep the others down."""
    try:
        yield
    except MailpodError as problem:
        problems.append(problem)


def take(context: Context, step: Step, accounts: dict[str, Account]) -> None:
    """Do one step."""
    match step:
        case Create(spec) | Replace(spec):
            make_anew(context, accounts[spec.name])
        case Start(name):
            context.engine.start(name)
        case Halt(name):
            [account] = [one for one in context.store.accounts() if _container(context, one) == name]
            halt_container(context, account)
        case Remove(name):
            context.engine.remove(name)


def make_anew(context: Context, account: Account) -> None:
    """Make the container of an account in place of its old one, which can prove itself with nothing any more."""
    context.rotate(account)
    # First, so that main never refuses what the new one sends; and while the old one is still there for its owner.
    push_tables(context)
    spec, files = context.account_spec(account), context.account_files(account)
    context.engine.remove(spec.name)
    context.engine.create(spec, files)


def refresh(context: Context, account: Account, extra: tuple[File, ...] = ()) -> None:
    """Give a running account its files, and wait until all of its servers answer.

    Args:
        context: the system.
        account: which account.
        extra: more members for the deploy, such as a password.
    """
    public = context.account_identity(account).ssh_host_public
    context.channel.account(account.name, public, "deploy", [*context.account_files(account), *extra])


def _container(context: Context, account: Account) -> str:
    return layout.account_container(context.instance, account.name)


def remove_container(context: Context, account: Account) -> None:
    """Remove the container of this account, whatever else has a name like it."""
    for workload in observed_accounts(context):
        if workload.labels.get(LABEL_ID) == account.id:
            context.engine.remove(workload.name)


def halt_container(context: Context, account: Account) -> None:
    """End this account's container at once, for as long as nobody starts it again, and keep what it has said."""
    for workload in observed_accounts(context):
        if workload.labels.get(LABEL_ID) == account.id:
            said = context.engine.halt(workload.name)
            if said:
                context.store.keep_log(account, said)


def _finish_deletions(context: Context) -> None:
    """Where a deletion stopped between its two records, it has begun: the account is not desired any more."""
    with context.store.lock():
        for account in context.store.deleted():
            context.store.forget_account(account)


def _name_machines(context: Context) -> None:
    """After a change of the engine accounts are where they were: on a Swarm that machine has a name, else none."""

    def unnamed(accounts: Iterable[Account]) -> list[Account]:
        return [account for account in accounts if bool(account.node) != (context.system.engine == "swarm")]

    if not unnamed([*context.store.accounts(), *context.store.deleted()]):
        return
    here = {"node": next(machine.name for machine in context.engine.machines() if machine.here)}
    with context.store.lock():
        for account in unnamed(context.store.accounts()):
            context.store.save_account(account.model_copy(update=here))
        for account in unnamed(context.store.deleted()):
            context.store.save_deleted(account.model_copy(update=here))


def _finish_purges(context: Context) -> None:
    """End every purge that was begun."""
    for account in context.store.deleted():
        if account.purge:
            finish_purge(context, account)


def finish_purge(context: Context, account: Account) -> None:
    """Destroy one account's container and volumes and all else of it, the last record at the end.

    While a machine that has something of it is down, or main does not answer, it stays on record for `apply`.
    """
    remove_container(context, account)
    # What a machine had that has left is gone with it.
    there = {machine.name for machine in context.engine.machines()} - set(context.engine.up())
    away = {account.node, *account.copies, *account.kept} & there
    context.engine.remove_helpers(context.instance, account.id)
    copies.destroy(context, account)
    try:
        depots.destroy(context, account)
    except MailpodError as problem:
        context.progress(f"{account.name}'s backups are still there, until: mailpod apply ({problem.what})")
        return
    try:
        purging.forget(context, account)
    except ChannelClosed:
        away.add("main")
    if away:
        names = ", ".join(sorted(away))
        context.progress(f"{names} does not answer; once it does, mailpod apply destroys what it has of {account.name}")
        return
    context.forget_keys(account)
    context.store.forget_deleted(account.id)


def main_runs(context: Context) -> bool:
    """Whether main's container is up."""
    return runs(context, "main")


def runs(context: Context, role: str) -> bool:
    """Whether a container of this role is up: `main`, or `dns`."""
    workloads = context.engine.workloads(context.instance)
    return any(w.labels.get(LABEL_ROLE) == role and w.state == "running" for w in workloads)
