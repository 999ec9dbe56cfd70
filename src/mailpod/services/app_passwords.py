"""App passwords of an account: add, list and revoke. They are the account's own; nothing of them is kept outside it."""

from mailpod.model.archive import File
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.passwords import (
    MAX_APP_PASSWORDS,
    AppPassword,
    Scope,
    added,
    app_password_name,
    listed,
    revoked,
)
from mailpod.model.records import Account, now
from mailpod.services.accounts import show
from mailpod.services.context import Context
from mailpod.services.freezing import require_thawed
from mailpod.services.installation import require_main
from mailpod.services.passwords import generate_password, hash_password
from mailpod.services.reachable import require_reachable

_SEE = "see: mailpod account app-password list"


def views(context: Context, name: str) -> list[AppPassword]:
    """The app passwords of an account, by name.

    Raises:
        NotFound: there is no such account.
        MailpodError: it does not run or does not answer.
    """
    return _views(context, _running(context, name))


def add(context: Context, name: str, label: str, scope: Scope) -> tuple[AppPassword, str]:
    """Give an account one more password, under the name `label`; it opens what `scope` says from then on.

    Returns:
        What is told of it, and the password itself, which nobody keeps.

    Raises:
        InvalidInput: the name cannot be one, or the account has as many as it may.
        NotFound: there is no such account.
        AlreadyExists: the account has one of this name.
        MailpodError: the account does not run or does not answer.
    """
    wanted = app_password_name(label)
    account = _running(context, name)
    there = _views(context, account)
    if any(one.name == wanted for one in there):
        raise AlreadyExists(f"{account.name} has an app password {wanted!r} already", f"{_SEE} {account.name}")
    if len(there) >= MAX_APP_PASSWORDS:
        raise InvalidInput(f"{account.name} has {len(there)} app passwords, no more are kept", "revoke one first")
    made, password = AppPassword(wanted, scope, now()), generate_password()
    _ask(context, account, "add-app-password", added(made, password.partition("-")[0], hash_password(password)))
    return made, password


def revoke(context: Context, name: str, label: str) -> str:
    """Take an app password away: no login succeeds with it from then on, and the mailbox's open sessions end.

    Returns:
        Its name.

    Raises:
        InvalidInput: the name cannot be one.
        NotFound: there is no such account, or it has no such app password.
        MailpodError: the account does not run or does not answer.
    """
    wanted = app_password_name(label)
    account = _running(context, name)
    if all(one.name != wanted for one in _views(context, account)):
        raise NotFound(f"{account.name} has no app password {wanted!r}", f"{_SEE} {account.name}")
    _ask(context, account, "revoke-app-password", revoked(wanted))
    return wanted


def _running(context: Context, name: str) -> Account:
    context.require_system()
    account = context.store.account(name.lower())
    require_thawed(account)
    require_main(context)
    require_reachable(context, account)
    if show(context, account.name).status not in {"running", "unhealthy"}:
        raise MailpodError(f"{account.name} is not running, and its app passwords are in it", "run: mailpod apply")
    return account


def _views(context: Context, account: Account) -> list[AppPassword]:
    return listed(_ask(context, account, "app-passwords"))


def _ask(context: Context, account: Account, verb: str, *files: File) -> bytes:
    return context.channel.account(account.name, context.account_identity(account).ssh_host_public, verb, files)
