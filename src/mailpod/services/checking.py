"""Whether an account does what it is for: it takes mail, opens its mailbox, and lets the control plane in."""

import secrets

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.passwords import AppPassword, added
from mailpod.model.records import Account, now
from mailpod.services.channel import ChannelClosed
from mailpod.services.context import Context
from mailpod.services.passwords import generate_password, hash_password


def check(context: Context, account: Account) -> None:
    """Check a running account over SMTP, IMAP and SSH, of which its owner sees nothing.

    Main hands it a message, which lands in a mailbox beside the owner's, and opens the owner's inbox, with a password
    that is good until the check ends and is on no disk. All of it is asked for over SSH.

    Raises:
        MailpodError: something did not work; it says by which protocol.
    """
    public = context.account_identity(account).ssh_host_public
    word, password = secrets.token_hex(16), generate_password()
    line = added(AppPassword(".check", "imap", now()), password.partition("-")[0], hash_password(password))
    given = {"address": f"check@{account.fqdn(context.system.domain)}", "word": word, "password": password}
    files = [File(name, text.encode(), 0o600) for name, text in given.items()]
    context.channel.account(account.name, public, "begin-check", [line])
    context.channel.main(f"check {account.name}", files)
    context.channel.account(account.name, public, "end-check", [File("word", f"{word}\n".encode(), 0o600)])


def can_check(context: Context) -> bool:
    """Whether main knows how to check an account; an older image does not. Raises `ChannelClosed` if main is away."""
    try:
        # No account is called that.
        context.channel.main("check ?")
    except ChannelClosed:
        raise
    except MailpodError as problem:
        return "unknown verb" not in problem.what
    return True
