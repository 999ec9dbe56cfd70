"""The organisation's zone: what it is to hold, and how the system's own name server gets to know."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mailpod.model import dkim, zone
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import Account
from mailpod.model.zone import Record
from mailpod.services import chores
from mailpod.services.context import Context
from mailpod.waiting import until

if TYPE_CHECKING:
    from mailpod.services.nameserver import Nameserver

_START_SECONDS = 30
_SEE = "see: mailpod status"


def own_file(context: Context) -> Path:
    """Where the operator writes records of their own: a master file (RFC 1035 section 5), relative to the domain."""
    return context.store.folder / "dns" / "records.zone"


def published_file(context: Context) -> Path:
    """What whoever serves the zone elsewhere was sent, as a master file: nothing else in that zone is ours."""
    return context.store.folder / "dns" / "published.zone"


def records(context: Context, *, wildcards: bool = False) -> list[Record]:
    """All records of the zone, by name, with the operator's own (`zone.overridden`).

    Args:
        wildcards: those of a zone elsewhere that is not changed for each account.

    Raises:
        InvalidInput: the operator's file holds something else than records of this zone; or wildcards are to be in one
            that the system serves itself.
    """
    from mailpod.services.certificates import key_digest

    system, accounts, own = context.system, context.store.accounts(), _own(context)
    if wildcards and system.dns == "built-in":
        raise InvalidInput(
            f"{system.domain} is served by mailpod itself, which knows every account", "say it without --wildcards"
        )
    found = zone.of_system(system, key_digest(context.main_certificate), public=context.is_public)
    keys = context.dkim_records()
    if wildcards:
        found += zone.of_keys(key for key in keys if key.domain == system.domain)
        found += zone.of_any_account(system, accounts, own)
    else:
        found += zone.of_keys(keys)
        found += [record for account in accounts for record in zone.of_account(system, account)]
    return sorted(zone.overridden(found, own))


def publish(context: Context, *, strict: bool = False) -> None:
    """Have the system's own name server, if it has one, serve the zone as it is to be; waits while it starts.

    Who serves it elsewhere is told, if that is to be done by itself.

    Args:
        strict: fail if that cannot be done. Else `status` tells of it, until it was done.

    Raises:
        InvalidInput: the operator's file holds something else than records of this zone.
        MailpodError: the name server does not answer, or refuses.
    """
    with context.store.lock("dns"):
        # A command that takes long may have begun before another one changed the system.
        context.look_again()
        if context.system.dns == "built-in":
            wanted = records(context)
            until(partial(_serves, context.nameserver, wanted), _START_SECONDS, "the name server did not start", _SEE)
            chores.settle(context, chores.DNS)
            return
    _publish_elsewhere(context, strict=strict)


def _publish_elsewhere(context: Context, *, strict: bool = False) -> None:
    way = context.store.publishing()
    if way is None:
        return
    from mailpod.services import dns_publish

    try:
        dns_publish.publish(context, dns_publish.publisher(context, way))
    except MailpodError as problem:
        said = MailpodError(f"{way.place} could not be told: {problem.what}", f"{problem.hint}; then: mailpod apply")
        if strict:
            raise said from problem
        chores.note(context, chores.DNS, said)
        context.progress(f"the DNS at {said.what}; mailpod apply tries again")


def _serves(nameserver: "Nameserver", wanted: list[Record]) -> bool:
    from mailpod.services.nameserver import Silent

    try:
        nameserver.replace(wanted)
    except Silent:
        return False
    return True


def tell(context: Context, account: Account) -> None:
    """Have who serves the zone know of an account what is so now: that it is new, has another address, or is gone.

    An account works without its name in the DNS: a name server that is down keeps nobody from having or losing one.
    """
    if context.system.dns != "built-in":
        _publish_elsewhere(context)
        return
    try:
        # Somebody else may have been given the name meanwhile: what the folder says now counts.
        with context.store.lock("dns"):
            # Where it was before, it may have had an address while it has none now.
            fqdn = account.fqdn(context.system.domain)
            old = [*_of(context, account), Record(fqdn, "AAAA", "::")]
            new = [one for now in context.store.accounts() if now.name == account.name for one in _of(context, now)]
            # What the operator has at other names may share a set with records that are not the account's.
            own = [one for one in _own(context) if f".{one.name}".endswith(f".{fqdn}")]
            context.nameserver.change(zone.overridden(old, own), zone.overridden(new, own))
    except MailpodError as problem:
        what = f"the name server could not be told of {account.name}: {problem.what}"
        chores.note(context, chores.DNS, MailpodError(what, "run: mailpod apply"))
        context.progress(f"the DNS could not be told of {account.name}: {problem}; mailpod apply tries again")


def _of(context: Context, account: Account) -> list[Record]:
    keys = dkim.records({account.fqdn(context.system.domain): context.signing.keys(account.id)})
    return [*zone.of_account(context.system, account), *zone.of_keys(keys)]


def _own(context: Context) -> list[Record]:
    from mailpod.services.nameserver import parsed

    path = own_file(context)
    try:
        return parsed(path.read_text(), context.system.domain) if path.exists() else []
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be used: {error}", "correct that file; see docs/internet.md, DNS") from error


def texts(context: Context, name: str) -> set[str] | None:
    """The values of the TXT records at a name of the zone, as others find them; None when the resolver does not tell.

    Raises:
        MailpodError: the system's own name server does not answer; or this machine has no resolver.
    """
    if context.system.dns == "built-in":
        return context.nameserver.values(name, "TXT")
    from mailpod.services.lookup import Unknown

    try:
        return context.public_dns.ask(name, "TXT")
    except Unknown:
        return None


def delegation(context: Context) -> list[str]:
    """The values of the DS records that the parent zone is to have (RFC 4034 section 5); none without a name server.

    Raises:
        MailpodError: the name server does not answer.
    """
    return context.nameserver.delegation() if context.system.dns == "built-in" else []


def glue(context: Context) -> list[str]:
    """The records by which the parent zone leads to the system's own name server, as lines of a master file."""
    return [one.line() for one in zone.of_nameserver(context.system)]
