"""Letting somebody leave with their mail: an account as one file, while it runs."""

from dataclasses import dataclass
from pathlib import Path

from mailpod.model.records import FILTERS, MIB, Account, now
from mailpod.model.tables import split_tag
from mailpod.services import copies, export_file
from mailpod.services.carrying import SPARE
from mailpod.services.context import Context
from mailpod.services.export_file import Form
from mailpod.services.freezing import require_thawed
from mailpod.services.held_images import ensure_image
from mailpod.services.reachable import require_reachable
from mailpod.services.telling import Teller
from mailpod.services.whole_file import require_free, require_space


@dataclass(frozen=True)
class Exported:
    """What was written: of which account, and how many messages."""

    account: Account
    messages: int


def export(context: Context, name: str, path: Path, form: Form = "maildir") -> Exported:
    """Write an account's mail, files and record to a file, as they are at this moment; the account runs on.

    Raises:
        NotFound: there is no such account.
        AlreadyExists: there is a file of that name.
        MailpodError: it is frozen or cannot be reached, or there is no room; nothing is left of the file.
    """
    context.require_system()
    account = context.store.account(name.lower())
    require_thawed(account)
    require_free(path)
    require_reachable(context, account)
    account = ensure_image(context, account)
    spec = copies.at(context, account, account.node)
    needed = context.engine.size(spec)
    # An mbox is written beside the file before it goes into it.
    require_space(path, needed * (2 if form == "mbox" else 1) + SPARE)
    with copies.alone(context, account):
        context.progress(f"writing {account.name}, about {needed // MIB} MiB, to {path}")
        told = Teller(context.progress, "read", needed)
        home = told.pieces(context.engine.snapshot_home(spec))
        count = export_file.write(path, _about(context, account), account.short(context.system.domain), home, form)
    return Exported(account, count)


def _about(context: Context, account: Account) -> dict[str, object]:
    """What somebody elsewhere may want to know of it; nothing in it is secret."""
    domain = context.system.domain
    aliases = [one.local_part for one in context.aliases if account.id in {split_tag(who)[0] for who in one.accounts}]
    shown = {"name", "created", "stack", "quota", "memory", "cpus", "processes", "connections", "internet"}
    return {
        **account.model_dump(mode="json", include=shown | {"messages_per_hour", "ssh_keys"}),
        "filters": FILTERS[account.stack],
        "domain": domain,
        "addresses": [account.short(domain), account.canonical(domain), *(f"{one}@{domain}" for one in aliases)],
        "exported": now().isoformat(),
    }
