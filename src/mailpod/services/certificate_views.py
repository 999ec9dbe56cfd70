"""What main and the accounts show their clients, as people are told of it."""

from dataclasses import dataclass
from datetime import datetime

from mailpod.model import layout
from mailpod.model.certificate import Certificate, State, Trouble, current
from mailpod.model.records import Account, System, now
from mailpod.services.certificates import expired, issuer_of, leaf, names_of, renewal
from mailpod.services.context import Context


@dataclass(frozen=True)
class CertificateView:
    """What an element shows its clients.

    Attributes:
        name: `main`, or the account's.
        names: those the certificate is for.
        issuer: who gave it.
        not_after: when it ends.
        state: see `mailpod.model.certificate.State`.
        left_out: names of the element that it could not be for.
        problem: why it is not as it should be; empty when it is. `hint`: what to do.
        again: when it is tried again; None when nothing failed.
    """

    name: str
    names: tuple[str, ...]
    issuer: str
    not_after: datetime
    state: State
    left_out: tuple[str, ...]
    problem: str
    hint: str
    again: datetime | None


@dataclass(frozen=True)
class Element:
    """main or an account, and what it shows clients.

    Attributes:
        id: what its keys are kept under.
        names: that clients know it by.
        account: None for main.
    """

    id: str
    name: str
    names: tuple[str, ...]
    account: Account | None
    certificate: Certificate


def views(context: Context) -> list[CertificateView]:
    """What main and every account show their clients; main first, then accounts by name."""
    context.require_system()
    system = context.system
    of_server = current(context.certificates.acme_account().trouble, system) if system.acme_email else None
    return [_view(system, element, of_server) for element in elements(context)]


def _view(system: System, element: Element, of_server: Trouble | None) -> CertificateView:
    certificate = element.certificate
    trouble = current(certificate.trouble, system)
    public = bool(system.acme_email and certificate.chain)
    shown = leaf(certificate.chain if public and not expired(certificate) else certificate.own)
    if not trouble and system.acme_email and due(system, element):
        trouble = of_server
    state: State
    if not system.acme_email:
        state = "own"
    elif public and expired(certificate):
        state = "expired"
    elif trouble:
        state = "failed"
    elif not public:
        state = "waiting"
    else:
        state = "due" if due(system, element) else "valid"
    return CertificateView(
        name=element.name,
        names=names_of(shown),
        issuer=issuer_of(shown),
        not_after=shown.not_valid_after_utc,
        state=state,
        left_out=certificate.left_out if public else (),
        problem=trouble.problem if trouble else "",
        hint=trouble.hint if trouble else "",
        again=trouble.until if trouble else None,
    )


def elements(context: Context) -> list[Element]:
    """Main, then the accounts by name."""
    system = context.system
    main = Element("main", "main", layout.main_public_names(system), None, context.main_certificate)
    return [
        main,
        *(
            Element(one.id, one.name, (one.fqdn(system.domain),), one, context.account_certificate(one))
            for one in context.store.accounts()
        ),
    ]


def due(system: System, element: Element) -> bool:
    """Whether it is time to order another certificate for an element, by those settings."""
    certificate = element.certificate
    if not certificate.chain or certificate.server != system.acme_server:
        return True
    have = leaf(certificate.chain)
    wanted = set(element.names) - set(certificate.left_out)
    return not wanted <= set(names_of(have)) or renewal(have) <= now()
