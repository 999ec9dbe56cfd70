"""Sending the zone's records to who serves it elsewhere: by dynamic update, or through a provider's API."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mailpod.model import zone
from mailpod.model.errors import InvalidInput
from mailpod.model.publishing import Way
from mailpod.services import chores, dns
from mailpod.services.context import Context
from mailpod.services.nameserver import Key, Nameserver, Sets, parsed, sets
from mailpod.store import write_durably


class Publisher(Protocol):
    """Where the records go; both raise `MailpodError` when it does not answer, or refuses."""

    def held(self, keys: Iterable[tuple[str, str]]) -> Sets:
        """The sets of records that are there, of these names and types; without those of which there are none."""

    def update(self, changes: Sets) -> None:
        """Make these sets hold these values alone; those without any are removed. All others stay as they are."""


@dataclass(frozen=True)
class Change:
    """A set of records, as it is there and as it is to be: values, of which there may be none."""

    name: str
    kind: str
    before: frozenset[str]
    after: frozenset[str]


@dataclass(frozen=True)
class Published:
    """What publishing does.

    Attributes:
        sets: how many sets of records there are in all.
        changes: those that are others than before, by name and type.
    """

    sets: int
    changes: list[Change]


def require_elsewhere(context: Context) -> None:
    """Refuse to publish what the system serves itself; raises `InvalidInput`."""
    if context.system.dns == "built-in":
        raise InvalidInput(
            f"{context.system.domain} is served by mailpod itself, which knows of every change",
            f"to serve it elsewhere: mailpod up {context.system.domain} --dns elsewhere",
        )


def publisher(context: Context, way: Way) -> Publisher:
    """Where a way leads, for the system's zone."""
    domain = context.system.domain
    if way.key:
        key = Key(way.key.name, way.key.algorithm, way.key.secret)
        return Nameserver(way.server, way.port, domain, key)
    from mailpod.services.dns_provider import Provider

    return Provider(way.provider, way.options, domain)


def publish(
    context: Context,
    there: Publisher,
    shown: Callable[[list[Change]], None] = lambda _changes: None,
    *,
    dry_run: bool = False,
) -> Published:
    """Let the zone hold what the system needs, and no more what it needed before.

    Sets of records are replaced as a whole, but for texts, of which others may have some at the same name.

    Args:
        shown: told what is about to be changed, before it is.
        dry_run: change nothing.

    Raises:
        InvalidInput: the system serves its zone itself, or the operator's own records cannot be used.
        MailpodError: who serves it does not answer, or refuses; what was sent is known, so that it can be done again.
    """
    with context.store.lock("dns"):
        # As it is now: another command may have changed the system since this one began.
        context.look_again()
        require_elsewhere(context)
        wanted = sets(dns.records(context))
        path = dns.published_file(context)
        before = sets(parsed(path.read_text(), context.system.domain)) if path.exists() else {}
        ours = {key: before.get(key, frozenset()) | wanted.get(key, frozenset()) for key in {**before, **wanted}}
        changes = _changes(there.held(ours), ours, wanted)
        shown(changes)
        if not dry_run:
            # First, so that what a kill leaves there is known to be ours.
            _write(path, ours)
            if changes:
                there.update({(one.name, one.kind): one.after for one in changes})
            _write(path, wanted)
            chores.settle(context, chores.DNS)
    return Published(len(wanted), changes)


def _changes(held: Sets, ours: Sets, wanted: Sets) -> list[Change]:
    found = []
    for (name, kind), own in sorted(ours.items()):
        before, after = held.get((name, kind), frozenset()), wanted.get((name, kind), frozenset())
        if kind == "TXT":
            after |= {one for one in before - own if not zone.rivals(one, own)}
        if before != after:
            found.append(Change(name, kind, before, after))
    return found


def _write(path: Path, records: Sets) -> None:
    lines = [f"{name}. {zone.TTL} IN {kind} {value}\n" for (name, kind), values in records.items() for value in values]
    write_durably(path, "".join(sorted(lines)).encode(), 0o600)
