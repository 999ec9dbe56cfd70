"""Keys for signatures that are new: they sign once whoever verifies finds them."""

from mailpod.model.dkim import SigningKey
from mailpod.services import dns
from mailpod.services.context import Context


def begin(context: Context) -> bool:
    """Let those sign that the DNS has, in place of those that have signed so far.

    Returns:
        Whether there are any; main has to be given its tables then.

    Raises:
        MailpodError: the system's own name server does not answer; or this machine has no resolver.
    """
    begun = False
    for domain, owner in context.signers().items():
        waiting = context.signing.keys(owner).waiting
        if waiting and all(_found(context, domain, key) for key in waiting):
            context.signing.begin(owner, waiting)
            begun = True
    return begun


def _found(context: Context, domain: str, key: SigningKey) -> bool:
    return any(map(key.is_told_by, dns.texts(context, key.record(domain))))
