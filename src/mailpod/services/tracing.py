"""Where a message is: its way from the logs of main and of the accounts that it has passed."""

from collections.abc import Callable, Iterable
from datetime import datetime

from mailpod.model.errors import MailpodError
from mailpod.model.journey import Entry, Journey, Logbook, Node
from mailpod.model.maillog import Event, parse
from mailpod.model.records import Account
from mailpod.services.context import Context
from mailpod.services.logs import Logs

_PATIENCE = 5.0


def trace(context: Context, what: str, since: datetime) -> list[Journey]:
    """The ways of messages.

    Args:
        what: an address, of which the part from `+` on does not count; a Message-ID, with or without `<` and `>`; or a
            queue id, perhaps with its owner before it (`main:4bXyz`).
        since: how far back the logs are read.

    Raises:
        NotFound: there is no system, or no main container.
    """
    logs = Logs(context)
    wanted = _wanted(what)
    accounts = {account.name: account for account in context.store.accounts()}
    context.progress("reading the log of main")
    events: dict[str, list[Event]] = {"main": _events(logs, None, since)}
    folders: dict[Node, str] = {}
    own = {name for name, account in accounts.items() if _owns(context, account, what)}
    # What main does not know of may still be in the account that wrote it.
    next_ = own | _passed(events, folders, wanted) or set(accounts)
    while missing := sorted((next_ & accounts.keys()) - events.keys()):
        context.progress(f"reading the logs of {', '.join(missing)}")
        for name in missing:
            events[name] = _events(logs, accounts[name], since)
            folders |= _folders(context, accounts[name])
        next_ = _passed(events, folders, wanted)
    return Logbook(events, folders).journeys(wanted)


def _passed(events: dict[str, list[Event]], folders: dict[Node, str], wanted: Callable[[Entry], bool]) -> set[str]:
    return {one for journey in Logbook(events, folders).journeys(wanted) for one in journey.elements}


def _events(logs: Logs, account: Account | None, since: datetime) -> list[Event]:
    try:
        return [event for line in logs.read(account, since) if (event := parse(line))]
    except MailpodError:
        # Main's is what all begins with.
        if account is None:
            raise
        return []


def _owns(context: Context, account: Account, what: str) -> bool:
    domain = context.system.domain
    return _plain(what) in {account.short(domain), account.canonical(domain)}


def _wanted(what: str) -> Callable[[Entry], bool]:
    message_id, address = what.strip().strip("<>").lower(), _plain(what)
    element, _, queue_id = what.strip().rpartition(":")

    def wanted(entry: Entry) -> bool:
        if entry.message_id.strip("<>").lower() == message_id:
            return True
        if entry.queue_id == queue_id and element.lower() in {"", entry.element}:
            return True
        return any(_plain(one) == address for one in entry.addresses() if one)

    return wanted


def _plain(address: str) -> str:
    """Without its tag and in lower case."""
    local, at, host = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{host}"


def _folders(context: Context, account: Account) -> dict[Node, str]:
    """Where Procmail has put what, by the file in which it notes that; nothing when the account does not answer."""
    if account.stack != "classic" or account.frozen:
        return {}
    public = context.account_identity(account).ssh_host_public
    try:
        said = context.channel.account(account.name, public, "folders", seconds=_PATIENCE)
    except MailpodError:
        return {}
    return dict(_folder_lines(account.name, said.decode(errors="replace").splitlines()))


def _folder_lines(name: str, lines: Iterable[str]) -> Iterable[tuple[Node, str]]:
    for line in lines:
        queue_id, tab, folder = line.partition("\t")
        if tab:
            yield (name, queue_id), folder
