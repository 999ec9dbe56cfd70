"""What waits at main for an account whose container is made anew or is carried elsewhere: mail, and logins."""

import contextlib
from collections.abc import Iterator

from mailpod.model.errors import MailpodError
from mailpod.model.records import Account
from mailpod.services.context import Context


@contextlib.contextmanager
def held(context: Context, account: Account) -> Iterator[None]:
    """Have logins to an account wait at main while it is away; then main delivers what waited, where it is then.

    A client sees a login that takes longer, and not one that fails, for as long as main's Dovecot has one wait.

    Raises:
        MailpodError: main does not answer at the end.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(context.channel.hold(account.name, anew=context.system.engine == "swarm"))
        except MailpodError:
            # Logins fail meanwhile, as they do with a main of an image that knows no such verb.
            yield
            hurry(context)
        else:
            yield


def hurry(context: Context) -> None:
    """Have main deliver what has waited for accounts that have just been started, and find them where they are now."""
    # On one engine an account's address never changes.
    context.channel.main("renew" if context.system.engine == "swarm" else "flush")
