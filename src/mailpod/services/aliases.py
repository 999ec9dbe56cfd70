"""Shared addresses of the organisation, each standing for accounts, other aliases or addresses elsewhere."""

from collections.abc import Iterable, Mapping

from mailpod.model.addresses import outside_address, shared_local_part
from mailpod.model.errors import AlreadyExists, InvalidInput, NotFound
from mailpod.model.records import Alias
from mailpod.services.accounts import resolve_target
from mailpod.services.context import Context
from mailpod.services.reconcile import push_tables


def add(context: Context, address: str, targets: Iterable[str]) -> Alias:
    """Add an alias, or more targets to one that exists.

    Args:
        address: `contact` or `contact@DOMAIN`.
        targets: accounts by name or address, aliases by address, or addresses elsewhere.

    Raises:
        InvalidInput: an address that cannot be one, or a circle of aliases.
        NotFound: a target in the system's own domain that does not exist.
        AlreadyExists: the address is an account's.
    """
    context.engine.info()
    local_part = shared_local_part(address, context.system.domain)
    with context.store.lock():
        if any(account.name == local_part for account in context.store.accounts()):
            raise AlreadyExists(f"{local_part}@{context.system.domain} is an account's", "choose another address")
        known = {alias.local_part: alias for alias in context.store.aliases()}
        wanted = [_target(context, known, text) for text in targets]
        before = known[local_part].targets if local_part in known else ()
        alias = Alias(local_part=local_part, targets=tuple(dict.fromkeys((*before, *wanted))))
        _check_circle({**known, local_part: alias}, local_part)
        context.store.save_alias(alias)
    push_tables(context)
    return alias


def delete(context: Context, address: str) -> str:
    """Delete an alias and return its local part; raises `NotFound` when there is none."""
    context.engine.info()
    local_part = shared_local_part(address, context.system.domain)
    with context.store.lock():
        context.store.forget_alias(local_part)
    push_tables(context)
    return local_part


def _target(context: Context, known: Mapping[str, Alias], text: str) -> str:
    account = resolve_target(context, text)
    if account is not None:
        return account
    local, at, host = text.lower().partition("@")
    domain = context.system.domain
    if not at or host == domain:
        if local in known:
            return local
        shared_local_part(text, domain)
        raise NotFound(f"there is no account or alias {local!r}", "see: mailpod account list")
    if host.endswith(f".{domain}"):
        raise NotFound(f"there is no address {text}", "see: mailpod account list")
    return outside_address(text)


def _check_circle(aliases: Mapping[str, Alias], start: str) -> None:
    seen: set[str] = set()
    reached = list(aliases[start].targets)
    while reached:
        target = reached.pop()
        if target == start:
            raise InvalidInput(f"the alias {start!r} would stand for itself", "leave that target out")
        if target in aliases and target not in seen:
            seen.add(target)
            reached += aliases[target].targets
