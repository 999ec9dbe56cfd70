"""Certificates by ACME: who needs one, and how one is had.

The system's own authority's certificate is served until there is another, and whenever that is over.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

from mailpod.model import layout
from mailpod.model.certificate import Certificate, Trouble, current, settings
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import System, now
from mailpod.services import dns
from mailpod.services.acme import Unusable
from mailpod.services.certificate_views import CertificateView, Element, due, elements, views
from mailpod.services.certificates import digest, expired, key_digest, leaf, names_of
from mailpod.services.context import Context
from mailpod.services.installation import require_main
from mailpod.services.proving import leading_here, proof
from mailpod.services.reachable import down
from mailpod.services.reconcile import main_files, main_runs, refresh

# What somebody waits for, and what nobody does.
_CREATE_SECONDS = 30.0
_UP_SECONDS = 90.0
_TEND_SECONDS = 900.0
_ORDER_SECONDS = 90.0
# Let's Encrypt gives a domain 50 certificates of new names a week; some are left for what the operator does by hand.
_NEW_A_WEEK = 45
# of one run; it takes 300 orders in three hours
_ORDERS = 80


def issue_due(context: Context, seconds: float = _TEND_SECONDS) -> None:
    """Order what is missing or ends soon, as far as the time and the server's limits go; what fails is told.

    Elements that cannot be reached wait; so does whoever failed of late.

    Args:
        seconds: after which no further order is begun.
    """
    system = context.system
    if not system.acme_email or not main_runs(context):
        return
    with _alone(context):
        there = _reachable(context)
        for element in there:
            if not element.certificate.handed or (element.certificate.chain and expired(element.certificate)):
                with _told(context, element):
                    _hand_over(context, element)
        left, end = _new_left(context), time.monotonic() + seconds
        for element in _in_turn(context, there)[:_ORDERS]:
            of_server = context.certificates.acme_account().trouble
            if _pauses(of_server, system) or time.monotonic() > end:
                return
            new = not element.certificate.chain
            if new and not left:
                continue
            left -= new
            with _told(context, element):
                _issue(context, element, _ORDER_SECONDS)


def issue_on_up(context: Context) -> None:
    """`issue_due` for somebody who waits, and whose command has done its work: nothing of this fails it."""
    try:
        issue_due(context, _UP_SECONDS)
    except MailpodError as problem:
        context.progress(f"no certificates were ordered: {problem.what}; mailpod tend tries again")


def issue_for(context: Context, name: str) -> None:
    """Order the certificate of an account that has just been made, if nothing speaks against it; what fails is told."""
    system = context.system
    if not system.acme_email:
        return
    try:
        with _alone(context, _CREATE_SECONDS):
            [element] = [one for one in elements(context) if one.account and one.name == name]
            waits = _pauses(context.certificates.acme_account().trouble, system) or not _new_left(context)
            if due(system, element) and not waits:
                _issue(context, element, _CREATE_SECONDS)
    except MailpodError as problem:
        context.progress(f"no certificate for {name}: {problem.what}; {problem.hint}")


def renew(context: Context, name: str | None = None) -> list[CertificateView]:
    """Order now, whatever there is and whoever failed of late: for main and every account, or for one of them.

    Args:
        name: `main`, or an account's.

    Returns:
        How those are then.

    Raises:
        NotFound: there is no such account.
        MailpodError: nobody is asked for certificates, main does not run, or an order failed; the others were tried,
            unless the server takes none.
    """
    context.require_system()
    if not context.system.acme_email:
        raise MailpodError(
            "nobody is asked for certificates",
            f"say: mailpod up {context.system.domain} --acme-email ADDRESS",
        )
    require_main(context)
    with _alone(context):
        there = _reachable(context)
        wanted = there if name is None else [one for one in there if one.name == name.lower()]
        if not wanted:
            raise NotFound(f"there is no running account {name!r}", "see: mailpod certificate list")
        problems: list[MailpodError] = []
        for element in wanted:
            try:
                _issue(context, element, _ORDER_SECONDS)
            except Unusable:
                raise
            except MailpodError as problem:
                problems.append(problem)
    if problems:
        raise problems[0]
    return [one for one in views(context) if one.name in {element.name for element in wanted}]


@contextlib.contextmanager
def _alone(context: Context, seconds: float | None = None) -> Iterator[None]:
    """One process orders at a time: the server counts, and so do we."""
    with context.store.lock("acme", seconds=seconds):
        yield


@contextlib.contextmanager
def _told(context: Context, element: Element) -> Iterator[None]:
    try:
        yield
    except MailpodError as problem:
        context.progress(f"no certificate for {element.name}: {problem.what}; {problem.hint}")


def _reachable(context: Context) -> list[Element]:
    """Those whose new certificate could be handed to them."""
    away = down(context)
    return [one for one in elements(context) if not one.account or not (one.account.frozen or one.account.node in away)]


def _in_turn(context: Context, there: list[Element]) -> list[Element]:
    """What is due: main, then what ends first, then accounts that the outside reaches, then others."""

    def turn(element: Element) -> tuple[int, float]:
        account = element.account
        if not account:
            return 0, 0
        if element.certificate.chain:
            return 1, leaf(element.certificate.chain).not_valid_after_utc.timestamp()
        return 2 if layout.public_ipv6(context.system, account) else 3, account.created.timestamp()

    return sorted((one for one in there if _wants(context, one)), key=turn)


def _wants(context: Context, element: Element) -> bool:
    """Whether it is due, and nothing failed of late; names that were left out may lead here by now."""
    if _pauses(element.certificate.trouble, context.system):
        return False
    if due(context.system, element):
        return True
    with contextlib.suppress(MailpodError):
        left_out = element.certificate.left_out
        return bool(left_out and context.system.dns != "built-in" and leading_here(context, left_out))
    return False


def _pauses(trouble: Trouble | None, system: System) -> bool:
    of_now = current(trouble, system)
    return of_now is not None and of_now.until > now()


def _new_left(context: Context) -> int:
    """How many certificates of new names the server is to be asked for now; renewals do not count."""
    if not context.system.asks_lets_encrypt():
        return _ORDERS
    week = now() - timedelta(days=7)
    firsts = [one.certificate.first for one in elements(context)]
    return max(0, _NEW_A_WEEK - len([first for first in firsts if first and first > week]))


def _issue(context: Context, element: Element, seconds: float) -> None:
    """Order one certificate, keep it, and hand it over; why it failed is kept as well."""
    system, certificates, before = context.system, context.certificates, element.certificate
    context.progress(f"ordering a certificate for {element.name}")
    try:
        names, kind, show = proof(context, element.names)
        chain = context.acme.order(before.key, names, kind, show, seconds)
        _check(chain, before, names)
    except Unusable as problem:
        account = certificates.acme_account()
        trouble = _trouble(system, account.trouble, problem)
        certificates.save_acme_account(account.model_copy(update={"trouble": trouble}))
        raise
    except MailpodError as problem:
        certificates.change(element.id, before.key, {"trouble": _trouble(system, before.trouble, problem)})
        raise
    known = before.chain and set(names_of(leaf(before.chain))) == set(names) and before.server == system.acme_server
    changes = {
        "chain": chain,
        "server": system.acme_server,
        "first": before.first if known else now(),
        "left_out": tuple(name for name in element.names if name not in names),
        "handed": False,
        "trouble": None,
    }
    certificates.change(element.id, before.key, changes)
    account = certificates.acme_account()
    if account.trouble:
        certificates.save_acme_account(account.model_copy(update={"trouble": None}))
    _hand_over(context, element)


def _trouble(system: System, before: Trouble | None, problem: MailpodError) -> Trouble:
    again = current(before, system)
    return Trouble(
        last=now(),
        count=again.count + 1 if again else 1,
        settings=settings(system),
        problem=problem.what,
        hint=problem.hint,
    )


def _check(chain: str, certificate: Certificate, names: tuple[str, ...]) -> None:
    """Refuse what no daemon could serve."""
    try:
        given = leaf(chain)
        right = digest(given.public_key()) == key_digest(certificate) and set(names) <= set(names_of(given))
    except ValueError:
        right = False
    if not right:
        raise MailpodError("the ACME server gave another certificate than was ordered", "name another server")


def _hand_over(context: Context, element: Element) -> None:
    """Let the element show what it is to show now; connections go on."""
    if element.account:
        with context.lock("converge", shared=True):
            refresh(context, element.account)
    else:
        with context.store.lock("tables"):
            # The policy that is published for senders depends on it.
            context.channel.main("deploy", main_files(context))
        dns.publish(context)
    context.certificates.change(element.id, element.certificate.key, {"handed": True})
