"""How an ACME server is shown that names are ours: in the zone, here or elsewhere, or on main's web server."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from functools import partial

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.services.acme import Challenge, Kind, Show
from mailpod.services.context import Context
from mailpod.services.dns_publish import Publisher, publisher
from mailpod.services.lookup import Resolver, Unknown, held
from mailpod.services.nameserver import CHALLENGE, Sets
from mailpod.waiting import until

# of the 90 that an order may take
_COPY_SECONDS = 45.0


def proof(context: Context, names: tuple[str, ...]) -> tuple[tuple[str, ...], Kind, Show]:
    """The names that can be shown to be ours, and how.

    Raises:
        MailpodError: there are none, or nobody tells.
    """
    if context.system.dns == "built-in":
        return names, "dns-01", partial(_in_zone, context)
    way = context.store.publishing()
    if way:
        return names, "dns-01", partial(_elsewhere, context, publisher(context, way))
    found = leading_here(context, names)
    if not found:
        raise MailpodError(
            f"{names[0]} leads to another web server than main's, or nowhere", "see docs/internet.md, Certificates"
        )
    return found, "http-01", partial(_on_web, context)


def leading_here(context: Context, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the names at which an ACME server would find main's web server.

    Raises:
        MailpodError: the resolver does not tell, so that a name that leads here might be left out.
    """
    resolver = Resolver(context.system.resolver)
    ours = set(layout.public_addresses(context.system))
    four_of_ours = {one for one in ours if "." in one}

    def leads(name: str) -> bool:
        four, six = resolver.ask(name, "A"), resolver.ask(name, "AAAA")
        # Where our address is not known, an order tells whose it is.
        return bool(four) and four <= (four_of_ours or four) and six <= ours

    try:
        return tuple(name for name in names if leads(name))
    except Unknown as error:
        raise MailpodError(f"where {names[0]} leads is not known: {error}", "see: mailpod dns check") from error


@contextlib.contextmanager
def _in_zone(context: Context, challenges: list[Challenge]) -> Iterator[None]:
    wanted = _proofs(challenges)
    context.nameserver.update(wanted)
    try:
        _wait_for_copies(wanted, (addresses[0] for addresses in context.system.secondaries.values()))
        yield
    finally:
        with contextlib.suppress(MailpodError):
            context.nameserver.update(dict.fromkeys(wanted, frozenset()))


@contextlib.contextmanager
def _elsewhere(context: Context, there: Publisher, challenges: list[Challenge]) -> Iterator[None]:
    wanted = _proofs(challenges)
    with context.store.lock("dns"):
        there.update(wanted)
    try:
        _wait_for_copies(wanted, _name_servers(context))
        yield
    finally:
        with contextlib.suppress(MailpodError), context.store.lock("dns"):
            there.update(dict.fromkeys(wanted, frozenset()))


def _proofs(challenges: list[Challenge]) -> Sets:
    return {(f"{CHALLENGE}{one.name}", "TXT"): frozenset({f'"{one.value}"'}) for one in challenges}


def _name_servers(context: Context) -> list[str]:
    """An address of each name server that the public DNS knows for the domain."""
    resolver = Resolver(context.system.resolver)
    try:
        found = [resolver.ask(name.removesuffix("."), "A") for name in resolver.ask(context.system.domain, "NS")]
    except Unknown:
        return []
    return [min(addresses) for addresses in found if addresses]


def _wait_for_copies(wanted: Sets, servers: Iterable[str]) -> None:
    """Wait until every one of these name servers has the proof: the ACME server may ask any."""
    deadline = time.monotonic() + _COPY_SECONDS
    for address in servers:
        with contextlib.suppress(MailpodError):
            until(partial(_has, address, wanted), deadline - time.monotonic(), "there is no copy", "", interval=0.2)


def _has(address: str, wanted: Sets) -> bool:
    """Whether a server has the proof; one that does not answer is not asked by others either."""
    try:
        return all(values <= held(address, name, kind) for (name, kind), values in wanted.items())
    except Unknown:
        return True


@contextlib.contextmanager
def _on_web(context: Context, challenges: list[Challenge]) -> Iterator[None]:
    pages = [File(f"etc/challenges/{one.token}", one.value.encode()) for one in challenges]
    context.channel.main("challenges", pages)
    try:
        yield
    finally:
        with contextlib.suppress(MailpodError):
            context.channel.main("challenges")
