"""Secondary name servers: let one have a copy of the zone that the system serves, or none any more."""

from dataclasses import dataclass
from functools import partial

from mailpod.model import layout, secondary
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.records import DNS_PORT, System
from mailpod.model.secondary import ALGORITHM, Secondary
from mailpod.services import dns
from mailpod.services.context import Context
from mailpod.services.installation import deploy, require_main, undone_on_failure
from mailpod.services.nameserver import Key, Nameserver
from mailpod.waiting import until

_START_SECONDS = 30


@dataclass(frozen=True)
class SecondaryView:
    """A secondary as whoever runs it has to know it.

    Attributes:
        zone: what it keeps a copy of.
        primaries: addresses of the system's own name server, from which it fetches that, each with its port; none when
            they are not known.
        secondary: itself, with its key.
    """

    zone: str
    primaries: tuple[tuple[str, int], ...]
    secondary: Secondary


def views(context: Context) -> list[SecondaryView]:
    """Every secondary, in the order in which they were added."""
    system = context.system
    # What is routed to the name server itself comes to its own port, not to the machine's.
    addresses = layout.nameserver_addresses(system)
    primaries = tuple((one, system.dns_port() if "." in one else DNS_PORT) for one in addresses)
    return [SecondaryView(system.domain, primaries, one) for one in context.secondaries()]


def view(context: Context, name: str) -> SecondaryView:
    """One secondary, by its host name; raises `NotFound` when there is none."""
    wanted = name.lower().removesuffix(".")
    found = [one for one in views(context) if one.secondary.name == wanted]
    if not found:
        raise NotFound(f"there is no secondary name server {name!r}", "see: mailpod dns secondary list")
    return found[0]


def add(context: Context, name: str, addresses: tuple[str, ...]) -> SecondaryView:
    """Let a server have the zone, tell it of changes, and name it in the zone; on failure all is as it was.

    Args:
        name: its host name.
        addresses: where it is told of changes.

    Raises:
        InvalidInput: the name or an address cannot be accepted, or the zone is served elsewhere.
        AlreadyExists: it is one already.
        MailpodError: main or the name server could not be told, or runs on an image that is too old for this.
    """
    _require_served(context)
    host, where = secondary.checked(context.system.domain, name, addresses)
    _check_new(context.system, host)
    require_main(context)
    with context.lock("system"):
        context.look_again()
        before = context.system
        _check_new(before, host)
        with undone_on_failure(context, before):
            _adopt(context, {**before.secondaries, host: where})
            deploy(context)
            key = Key(host, ALGORITHM, context.keys.secondary_secret(host))
            refused = "the name server does not give it the zone"
            hint = "see: mailpod status; an older image of it knows no secondaries: mailpod upgrade"
            until(partial(_given, context.nameserver_for(key)), _START_SECONDS, refused, hint)
            dns.publish(context)
    return view(context, host)


def delete(context: Context, name: str) -> str:
    """Give a server nothing any more; its host name.

    Raises:
        NotFound: it is none.
        MailpodError: main or the name server could not be told; `apply` does.
    """
    _require_served(context)
    require_main(context)
    with context.lock("system"):
        context.look_again()
        host = view(context, name).secondary.name
        _adopt(context, {one: where for one, where in context.system.secondaries.items() if one != host})
        # Nobody is to be sent there any more once it has nothing new.
        dns.publish(context)
        deploy(context)
    return host


def _require_served(context: Context) -> None:
    domain = context.system.domain
    if context.system.dns != "built-in":
        raise InvalidInput(
            f"{domain} is served elsewhere, where its secondaries are told of as well",
            f"to serve it here: mailpod up {domain} --dns built-in",
        )


def _check_new(system: System, host: str) -> None:
    if host in system.secondaries:
        raise AlreadyExists(f"{host} is a secondary name server already", f"see: mailpod dns secondary show {host}")


def _adopt(context: Context, known: dict[str, tuple[str, ...]]) -> None:
    with context.store.lock():
        context.adopt(context.system.model_copy(update={"secondaries": known}))


def _given(nameserver: Nameserver) -> bool:
    """Whether the zone is given to whoever has that key."""
    try:
        nameserver.differing([])
    except MailpodError:
        # The one before answers until the engine has put this one in its place.
        return False
    return True
