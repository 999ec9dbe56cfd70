"""Destroying what there is of an account beside its volume, and looking whether anything of it is left."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mailpod.model import layout
from mailpod.model.backup import SYSTEM
from mailpod.model.depot import MISSING, DepotError
from mailpod.model.errors import MailpodError
from mailpod.model.records import Account, Alias, now
from mailpod.model.tables import split_tag
from mailpod.services import copies, depots, dns
from mailpod.services.context import Context
from mailpod.waiting import until

# Postfix's queue manager remembers for half a minute where an address led.
_TRIES, _PATIENCE = 8, 6.0


@dataclass(frozen=True)
class Look:
    """What was looked at, and what of an account was found there; nothing, when it is gone."""

    where: str
    what: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """That nothing is left of accounts.

    Attributes:
        looks: at all there is.
        beyond: what may tell of them and is not destroyed with them.
    """

    looks: tuple[Look, ...]
    beyond: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not any(look.found for look in self.looks)


def forget(context: Context, account: Account) -> None:
    """Destroy what is kept of an account that is gone, beside its volume, keys and record.

    Raises:
        MailpodError: main does not answer; what it keeps is there still.
    """
    context.channel.main(f"forget {account.id} {_name_in_main(context, account)}")
    _leave_aliases(context, account)
    context.store.forget_traces(account)


def _name_in_main(context: Context, account: Account) -> str:
    """The name by which main knows the account; `-` when that is another one now."""
    return "-" if _has_heir(context, account) else account.name


def _has_heir(context: Context, account: Account) -> bool:
    return any(one.name == account.name for one in context.store.accounts())


def _leave_aliases(context: Context, account: Account) -> None:
    with context.store.lock():
        for alias in context.store.aliases():
            left = tuple(one for one in alias.accounts if split_tag(one)[0] != account.id)
            if left == alias.accounts:
                continue
            if left or alias.targets:
                context.store.save_alias(Alias.model_validate({**alias.model_dump(), "accounts": left}))
            else:
                context.store.forget_alias(alias.local_part)


def prove(context: Context, accounts: Iterable[Account]) -> Proof:
    """Look for what is left of accounts that were purged.

    Raises:
        MailpodError: main or the name server does not answer.
    """
    gone = list(accounts)
    looks = [
        Look(where, what, tuple(sorted({one for account in gone for one in look(context, account)})))
        for where, what, look in _LOOKS
    ]
    return Proof(tuple(looks), tuple(_beyond(context, gone)))


def _on_engine(context: Context, account: Account) -> list[str]:
    own = layout.account_volumes(context.instance, account)
    return context.engine.traces(account.id, own, copies.on_record(context, account.id))


def _in_state(context: Context, account: Account) -> list[str]:
    # The record of one that was brought back says what it is of; `_beyond` tells of it.
    told = {f"accounts/{one.name}.toml" for one in copies.earlier(context, account)}
    if _keeps_backups(context, account):
        told.add(f"backups/{account.id}.toml")
    return [path for path in context.store.traces(account.id) if path not in told]


def _in_dns(context: Context, account: Account) -> list[str]:
    if _has_heir(context, account):
        return []
    fqdn = account.fqdn(context.system.domain)
    if context.system.dns == "built-in":
        return context.nameserver.below(fqdn)
    path = dns.published_file(context)
    lines = path.read_text().splitlines() if path.exists() else []
    names = {line.partition(" ")[0].rstrip(".") for line in lines}
    return [f"{name}, until: mailpod dns publish" for name in names if name == fqdn or name.endswith(f".{fqdn}")]


def _in_main(context: Context, account: Account) -> list[str]:
    said = context.channel.main(f"traces {account.id} {_name_in_main(context, account)}")
    return said.decode(errors="replace").splitlines()


def _in_queue(context: Context, account: Account) -> list[str]:
    """Mail for it goes back to who sent it as soon as it is tried again."""
    if _has_heir(context, account):
        return []
    own = f"@{account.fqdn(context.system.domain)}"

    def waiting() -> list[str]:
        return [
            one["queue_id"] for one in _queue(context) if any(to["address"].endswith(own) for to in one["recipients"])
        ]

    for _ in range(_TRIES):
        if not waiting():
            break
        context.channel.main("flush")
        with contextlib.suppress(MailpodError):
            until(lambda: not waiting(), _PATIENCE, "mail for it did not go back", "", interval=0.3)
    return waiting()


def _in_backups(context: Context, account: Account) -> list[str]:
    if context.store.backup_plan() is None or _keeps_backups(context, account):
        return []
    try:
        return [one.id for one in depots.snapshots(context, depots.of(context, account.id))]
    except DepotError as problem:
        if problem.code == MISSING:
            return []
        raise


def _keeps_backups(context: Context, account: Account) -> bool:
    return context.store.backed(account.id).until is not None


def _queue(context: Context) -> list[dict[str, Any]]:
    """What waits in main, as `postqueue -j` prints it (postqueue(1))."""
    return [json.loads(line) for line in context.channel.main("queue").splitlines() if line.strip()]


_LOOKS: tuple[tuple[str, str, Callable[[Context, Account], list[str]]], ...] = (
    ("engine", "containers, volumes and images on every machine that is up", _on_engine),
    ("state folder", "records, keys, aliases, logs", _in_state),
    ("backups", "its repository", _in_backups),
    ("dns", "its subdomain in the zone", _in_dns),
    ("main", "the webmail's database, sessions and files; what was refused to it", _in_main),
    ("main's queue", "mail for it", _in_queue),
)


def _beyond(context: Context, gone: list[Account]) -> list[str]:
    domain = context.system.domain
    senders = {address for account in gone for address in (account.short(domain), account.canonical(domain))}
    sent = sum(one["sender"] in senders for one in _queue(context))
    main = layout.main_container(context.instance)
    known = context.store.accounts()
    live = {one.name for account in gone for one in copies.earlier(context, account) if one in known}
    return [
        *(f"{name}, which has what it was before a restoring; see: mailpod account show {name}" for name in live),
        *_beyond_in_backups(context, gone),
        *([f"{sent} messages it has sent, which wait in main for the servers they go to"] if sent else []),
        f"addresses in the log of {main}, of which the engine keeps the last 50 MB",
        "files and accounts that somebody has made of it: account export, move --to-file, clone, restore --as",
    ]


def _beyond_in_backups(context: Context, gone: list[Account]) -> Iterator[str]:
    plan = context.store.backup_plan()
    if plan is None:
        return
    for account in gone:
        known = context.store.backed(account.id)
        if known.until:
            yield f"its backups, as was asked: {account.id} in {known.repository}, until {known.until:%Y-%m-%d}"
    taken = context.store.backed(SYSTEM).at(plan.repository).taken
    if taken and any(account.created <= taken for account in gone):
        until = now() + plan.stays()
        yield f"its keys and its record, in backups of the desired state, of which the last goes about {until:%Y-%m-%d}"
    folders = ", ".join([*(account.id for account in gone), SYSTEM])
    for place in plan.former:
        yield f"what lies in {folders} of {place}, where backups went before; see: mailpod backup former"
