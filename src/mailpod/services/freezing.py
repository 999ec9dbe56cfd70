"""Cutting an account off at once, with all there is kept as it is, and letting it go on."""

from mailpod.model.errors import AlreadyExists, MailpodError, NotFound
from mailpod.model.plan import plan
from mailpod.model.records import Account, now
from mailpod.services.context import Context
from mailpod.services.held_images import ensure_image
from mailpod.services.holding import hurry
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import halt_container, main_runs, observed_accounts, push_tables, refresh, take


def require_thawed(account: Account) -> None:
    """Refuse what only a running account can do; raises `MailpodError` when it is frozen."""
    if account.frozen:
        raise MailpodError(
            f"{account.name} is frozen since {account.frozen.isoformat()}",
            f"let it go on first: mailpod account thaw {account.name}",
        )


def freeze(context: Context, name: str) -> None:
    """End all that an account does, and let nothing but `thaw` begin it again: no login, no sending, no jump.

    Mail for it is accepted and kept in main, without an end. Its volume and its container's log stay as they are.

    Raises:
        NotFound: there is no such account.
        AlreadyExists: it is frozen already.
    """
    context.require_system()
    account = context.store.account(name.lower())
    if account.frozen:
        raise AlreadyExists(
            f"{account.name} is frozen already, since {account.frozen.isoformat()}",
            f"make sure of it with: mailpod apply; end it with: mailpod account thaw {account.name}",
        )
    context.progress(f"freezing {account.name}")
    # At once, whoever else is at work; then once more, while nobody can start it again.
    halt_container(context, account)
    with context.lock("converge"):
        with context.store.lock():
            account = context.store.account(account.name)
            halt_container(context, account)
            context.store.save_account(account.model_copy(update={"frozen": now()}))
        if main_runs(context):
            push_tables(context)


def thaw(context: Context, name: str) -> None:
    """Let a frozen account go on; what has waited for it is delivered.

    Raises:
        NotFound: there is no such account, or it is not frozen.
        MailpodError: it could not be started; it is not frozen any more, and `apply` starts it.
    """
    context.require_system()
    account = context.store.account(name.lower())
    if not account.frozen:
        raise NotFound(f"{account.name} is not frozen", f"see: mailpod account show {account.name}")
    require_main(context)
    require_reachable(context, account)
    ensure_image(context, account)
    context.progress(f"thawing {account.name}")
    with context.lock("converge", shared=True):
        with context.store.lock():
            account = context.store.account(account.name).model_copy(update={"frozen": None})
            context.store.save_account(account)
        # Whoever was in it may have taken what it proves itself with.
        context.rotate(account)
        context.certificates.forget(account.id)
        spec = context.account_spec(account)
        for step in plan([spec], [w for w in observed_accounts(context) if w.name == spec.name]):
            take(context, step, {spec.name: account})
        refresh(context, account)
        # Main lets go of what it holds for an account as soon as its tables have it no more among the frozen ones.
        push_tables(context)
        # What came in the very moment.
        hurry(context)
