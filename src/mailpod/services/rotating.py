"""Other credentials for an account."""

from mailpod.model.records import Account
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import require_main
from mailpod.services.reachable import require_reachable
from mailpod.services.reconcile import push_tables, refresh


def rotate(context: Context, name: str) -> Account:
    """Replace what an account proves itself with, to main and to clients: who has stolen it has nothing any more.

    Its mail that leaves meanwhile waits a moment. If the account does not answer, main refuses the old credential all
    the same, and `apply` gives the account the new one.

    Raises:
        NotFound: there is no such account.
        MailpodError: main or the account does not answer, or it is frozen.
    """
    context.require_system()
    account = context.store.account(name.lower())
    require_thawed(account)
    require_main(context)
    require_reachable(context, account)
    with context.lock("converge"):
        account = context.store.account(name.lower())
        context.progress(f"giving {account.name} new keys")
        context.rotate(account)
        context.certificates.forget(account.id)
        push_tables(context)
        refresh(context, account)
    return account
