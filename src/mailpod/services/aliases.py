"""Shared addresses of the organisation, each standing for accounts, other aliases or addresses elsewhere."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mailpod.model.addresses import BOX, outside_address, shared_local_part
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.records import Account, Alias
from mailpod.model.tables import split_tag
from mailpod.services.context import Context
from mailpod.services.installation import require_main
from mailpod.services.reconcile import push_tables, refresh


@dataclass(frozen=True)
class AliasView:
    """An alias as people see it.

    Attributes:
        targets: names of accounts that exist, local parts of aliases, and addresses elsewhere.
        send: those accounts may write as it.
    """

    address: str
    targets: tuple[str, ...]
    send: bool


def views(context: Context) -> list[AliasView]:
    """Every alias, by local part."""
    context.require_system()
    return [_view(context, alias) for alias in context.store.aliases()]


def _view(context: Context, alias: Alias) -> AliasView:
    names = {account.id: account.name for account in context.store.accounts()}
    own = [f"{names[one]}{tag}" for one, tag in map(split_tag, alias.accounts) if one in names]
    return AliasView(f"{alias.local_part}@{context.system.domain}", (*own, *alias.targets), alias.send)


def add(context: Context, address: str, targets: Iterable[str], *, send: bool | None = None) -> AliasView:
    """Add an alias, or more targets to one that exists.

    Args:
        context: the system.
        address: `contact` or `contact@DOMAIN`.
        targets: accounts by name or address, aliases by address, or addresses elsewhere; `+tag` is kept.
        send: whether its accounts may write as it; None for as it is, which at first is no.

    Raises:
        InvalidInput: an address that cannot be one, or a circle of aliases.
        NotFound: a target in the system's own domain that does not exist.
        AlreadyExists: the address is an account's.
        MailpodError: main does not run or does not answer; nothing has changed.
    """
    local_part = shared_local_part(address, context.system.domain)
    wanted = tuple(targets)
    _extended(context, local_part, wanted, send)
    require_main(context)
    with context.store.lock(), _as_before_on_failure(context, local_part):
        # What was right above may have changed before the lock was ours.
        before = _known(context).get(local_part)
        alias = _extended(context, local_part, wanted, send)
        context.store.save_alias(alias)
        push_tables(context)
    _tell(context, before, alias)
    return _view(context, alias)


def delete(context: Context, address: str) -> str:
    """Delete an alias and return its local part.

    Raises:
        NotFound: there is none.
        MailpodError: main does not run or does not answer; nothing has changed.
    """
    local_part = shared_local_part(address, context.system.domain)
    before = context.store.alias(local_part)
    require_main(context)
    with context.store.lock(), _as_before_on_failure(context, local_part):
        context.store.forget_alias(local_part)
        push_tables(context)
    _tell(context, before, None)
    return local_part


def _tell(context: Context, before: Alias | None, after: Alias | None) -> None:
    """Let the accounts know as what they may write; one that does not answer learns it from `apply`."""
    context.look_again()
    allowed = [
        {split_tag(one)[0] for one in alias.accounts} if alias and alias.send else set() for alias in (before, after)
    ]
    for account in context.store.accounts():
        if account.id in allowed[0] ^ allowed[1]:
            try:
                refresh(context, account)
            except MailpodError as problem:
                context.progress(f"{problem.what}; once it answers, run: mailpod apply")


@contextlib.contextmanager
def _as_before_on_failure(context: Context, local_part: str) -> Iterator[None]:
    before = _known(context).get(local_part)
    try:
        yield
    except BaseException:
        if _known(context).get(local_part) != before:
            if before:
                context.store.save_alias(before)
            else:
                context.store.forget_alias(local_part)
            # Nobody knows whether main took the change before it failed.
            with contextlib.suppress(MailpodError):
                push_tables(context)
        raise


def _known(context: Context) -> dict[str, Alias]:
    return {alias.local_part: alias for alias in context.store.aliases()}


def _extended(context: Context, local_part: str, wanted: Iterable[str], send: bool | None) -> Alias:
    """The alias with more targets; raises like `add`."""
    domain = context.system.domain
    people = {account.name: account for account in context.store.accounts()}
    known = _known(context)
    if local_part in people:
        raise AlreadyExists(f"{local_part}@{domain} is an account's", "choose another address")
    before = known.get(local_part)
    accounts, targets = (list(before.accounts), list(before.targets)) if before else ([], [])
    for text in wanted:
        found = resolve(domain, people, text)
        if found:
            accounts.append(f"{found[0].id}{found[1]}")
        else:
            targets.append(_other(domain, known, text))
    alias = Alias(
        local_part=local_part,
        accounts=tuple(dict.fromkeys(accounts)),
        targets=tuple(dict.fromkeys(targets)),
        send=before is not None and before.send if send is None else send,
    )
    _check_circle({**known, local_part: alias}, local_part)
    return alias


def resolve(domain: str, people: Mapping[str, Account], text: str) -> tuple[Account, str] | None:
    """The account, and perhaps a tag, that a name or an address of the system means, or None.

    Raises:
        InvalidInput: the tag cannot be part of an address.
    """
    local, at, host = text.partition("@")
    base, tag = split_tag(local)
    if not at or host.lower() == domain:
        owner = people.get(base.lower())
    else:
        label = host.lower().removesuffix(f".{domain}")
        owner = people.get(label) if base.lower() == BOX and label != host.lower() else None
    if owner is None:
        return None
    _check_tag(tag, text)
    return owner, tag


def _other(domain: str, known: Mapping[str, Alias], text: str) -> str:
    local, at, host = text.partition("@")
    if at and host.lower() != domain:
        if host.lower().endswith(f".{domain}"):
            raise NotFound(f"there is no address {text}", "see: mailpod account list")
        return outside_address(text)
    base, tag = split_tag(local)
    _check_tag(tag, text)
    if shared_local_part(base, domain) not in known:
        raise NotFound(f"there is no account or alias {base!r}", "see: mailpod account list")
    return f"{base.lower()}{tag}"


def _check_tag(tag: str, text: str) -> None:
    try:
        outside_address(f"x{tag}@example.org")
    except InvalidInput:
        raise InvalidInput(f"the tag in {text!r} cannot be in an address", "use letters, digits, dots and -") from None


def _check_circle(aliases: Mapping[str, Alias], start: str) -> None:
    seen: set[str] = set()
    reached = list(aliases[start].targets)
    while reached:
        further = reached.pop()
        target = further if "@" in further else split_tag(further)[0]
        if target == start:
            raise InvalidInput(f"the alias {start!r} would stand for itself", "leave that target out")
        if target in aliases and target not in seen:
            seen.add(target)
            reached += aliases[target].targets
