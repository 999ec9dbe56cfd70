"""What the world knows the organisation's mail by: the signing keys, shown and replaced."""

from mailpod.model.dkim import SigningKey
from mailpod.services.context import Context
from mailpod.services.installation import require_main
from mailpod.services.reconcile import announce


def views(context: Context, name: str | None = None) -> list[tuple[str, SigningKey]]:
    """Every key that is published, with its domain.

    Args:
        name: of an account, for those of its subdomain alone.

    Raises:
        NotFound: there is no such account.
    """
    owners = _owners(context, name)
    return [(domain, key) for domain, owner in owners.items() for key in context.signing.keys(owner).keys]


def rotate(context: Context, name: str | None = None) -> list[tuple[str, SigningKey]]:
    """Replace the keys of every domain, or of one account's; the old ones stay published for a week.

    New ones sign as soon as the DNS has them; where that takes its time, `apply` and `tend` look again.

    Args:
        name: of that account.

    Returns:
        What is to be published from now on, as `views` gives it.

    Raises:
        NotFound: there is no such account.
        MailpodError: main does not run, and nothing is changed; or the name server could not be told: `apply` does it.
    """
    owners = _owners(context, name)
    require_main(context)
    for domain, owner in owners.items():
        context.progress(f"making new keys for {domain}")
        context.signing.rotate(owner)
    announce(context)
    return views(context, name)


def _owners(context: Context, name: str | None) -> dict[str, str]:
    context.require_system()
    if name is None:
        return context.signers()
    account = context.store.account(name.lower())
    return {account.fqdn(context.system.domain): account.id}
