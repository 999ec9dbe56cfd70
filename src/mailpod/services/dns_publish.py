"""Sending the zone's records to a name server that is somebody else's, by dynamic update (RFC 2136)."""

from pathlib import Path

from mailpod.model import zone
from mailpod.model.errors import InvalidInput
from mailpod.services import dns
from mailpod.services.context import Context
from mailpod.services.nameserver import Nameserver, Sets, parsed, sets
from mailpod.store import write_durably


def published_file(context: Context) -> Path:
    """What was sent before, as a master file: of what else is in that zone nothing is ours."""
    return context.store.folder / "dns" / "published.zone"


def require_elsewhere(context: Context) -> None:
    """Refuse to publish what the system serves itself; raises `InvalidInput`."""
    if context.system.dns == "built-in":
        raise InvalidInput(
            f"{context.system.domain} is served by mailpod itself, which knows of every change",
            f"to serve it elsewhere: mailpod up {context.system.domain} --dns elsewhere",
        )


def publish(context: Context, server: Nameserver) -> int:
    """Make the server say what the system needs, and no more what it needed before.

    Sets of records are replaced as a whole, but for texts, of which others may have some at the same name.

    Returns:
        How many sets of records there are now.

    Raises:
        InvalidInput: the system serves its zone itself, or the operator's own records cannot be used.
        MailpodError: the server does not answer, or refuses; what it was sent is known, so that it can be done again.
    """
    require_elsewhere(context)
    with context.store.lock("dns"):
        wanted = sets(dns.records(context))
        path = published_file(context)
        before = sets(parsed(path.read_text(), context.system.domain)) if path.exists() else {}
        ours = {key: before.get(key, frozenset()) | wanted.get(key, frozenset()) for key in {**before, **wanted}}
        # First, so that what a kill leaves there is known to be ours.
        _write(path, ours)
        server.update({key: _merged(server, key, ours[key], wanted.get(key, frozenset())) for key in ours})
        _write(path, wanted)
    return len(wanted)


def _merged(server: Nameserver, key: tuple[str, str], ours: frozenset[str], wanted: frozenset[str]) -> frozenset[str]:
    """What the server is to have under a name and type."""
    name, kind = key
    if kind != "TXT":
        return wanted
    return wanted | {one for one in server.values(name, kind) - ours if not zone.rivals(one, ours)}


def _write(path: Path, records: Sets) -> None:
    lines = [f"{name}. {zone.TTL} IN {kind} {value}\n" for (name, kind), values in records.items() for value in values]
    write_durably(path, "".join(sorted(lines)).encode(), 0o600)
