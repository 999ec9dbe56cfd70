"""Bringing the observed state to the desired one; safe to run at any time, twice, and after any crash."""

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.plan import Create, Remove, Replace, Start, Step, plan
from mailpod.model.records import Account
from mailpod.model.spec import LABEL_ROLE, Workload
from mailpod.model.tables import render
from mailpod.services.context import Context


def observed_accounts(context: Context) -> list[Workload]:
    """Containers of accounts, as the engine sees them."""
    return [w for w in context.engine.workloads(context.instance) if w.labels.get(LABEL_ROLE) == "account"]


def push_tables(context: Context) -> None:
    """Render main's tables from the desired state of this moment and swap them in.

    Concurrent callers take turns, and each renders after its turn has come: the last swap is the newest state.
    """
    with context.store.lock("tables"):
        context.channel.main("deploy", main_files(context))


def main_files(context: Context) -> list[File]:
    """The files main is to have now."""
    accounts = context.store.accounts()
    # An account without an identity is one whose `create` stopped early; it has no address before `apply` made one.
    for account in accounts:
        context.account_identity(account)
    tables = render(
        context.system,
        accounts,
        context.store.aliases(),
        context.keys.relay_secrets(account.id for account in accounts),
        context.keys.operator()[1],
    )
    return layout.main_files(context.main_identity, context.keys.authority(), tables)


def steps(context: Context) -> list[Step]:
    """What `converge` would do now to the accounts' containers."""
    desired = [context.account_spec(account) for account in context.store.accounts()]
    return plan(desired, observed_accounts(context))


def converge(context: Context) -> list[Step]:
    """Make every account's container as desired, give each its files, then give main its tables.

    Returns:
        The steps that were taken.
    """
    accounts = {layout.account_container(context.instance, a.name): a for a in context.store.accounts()}
    taken = steps(context)
    for step in taken:
        take(context, step, accounts)
    finish_purges(context)
    push_tables(context)
    for account in accounts.values():
        context.progress(f"checking {account.name}")
        refresh(context, account)
    return taken


def take(context: Context, step: Step, accounts: dict[str, Account]) -> None:
    """Do one step."""
    match step:
        case Create(spec):
            context.engine.create(spec, context.account_files(accounts[spec.name]))
        case Replace(spec):
            context.engine.remove(spec.name)
            context.engine.create(spec, context.account_files(accounts[spec.name]))
        case Start(name):
            context.engine.start(name)
        case Remove(name):
            context.engine.remove(name)


def refresh(context: Context, account: Account, extra: tuple[File, ...] = ()) -> None:
    """Give a running account its files, and wait until all of its servers answer.

    Args:
        extra: more members for the deploy, such as a password.
    """
    identity = context.account_identity(account)
    files = [*context.account_files(account), *extra]
    context.channel.account(account.name, identity.ssh_host_public, "deploy", files)


def finish_purges(context: Context) -> None:
    """Destroy the volumes of accounts that are to be purged, then the last record of them."""
    for account in context.store.deleted():
        if account.purge:
            context.engine.remove_volume(layout.account_volume(context.instance, account))
            context.keys.forget(account.id)
            context.store.forget_deleted(account.id)


def main_runs(context: Context) -> bool:
    """Whether main's container is up."""
    workloads = context.engine.workloads(context.instance)
    return any(w.labels.get(LABEL_ROLE) == "main" and w.state == "running" for w in workloads)
