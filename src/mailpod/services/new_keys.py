"""Keys for signatures that are new: they sign once whoever verifies finds them."""

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
        if not waiting:
            continue
        found = [dns.texts(context, key.record(domain)) for key in waiting]
        if None in found:
            context.progress("the resolver does not tell whether new keys are published; mailpod apply asks again")
            break
        if all(any(map(key.is_told_by, texts or ())) for key, texts in zip(waiting, found, strict=True)):
            context.signing.begin(owner, waiting)
            begun = True
    return begun
