"""An ACME server (RFC 8555): it is shown that names are ours, and gives a certificate for them."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from mailpod import __version__
from mailpod.model.errors import MailpodError
from mailpod.services.keys import load_key
from mailpod.services.reasons import innermost

Kind = Literal["dns-01", "http-01"]
"""How a name is shown to be ours: by a TXT record, or by a page of the web server at that name."""

_PATIENCE = 15


@dataclass(frozen=True)
class Challenge:
    """What the server wants to see.

    Attributes:
        name: the name it is about.
        token: last part of the page's path (RFC 8555 section 8.3).
        value: the page, or the TXT record's text.
    """

    name: str
    token: str
    value: str


Show: TypeAlias = Callable[[list[Challenge]], AbstractContextManager[None]]
"""Lets the server see that, for as long as it lasts."""


class Unusable(MailpodError):
    """The server as a whole: it does not answer, or takes no orders from us now."""


class AcmeServer:
    """One server, and us as it knows us.

    Args:
        url: of its directory.
        email: whom it may write to.
        key: what it knows us by, PEM.
        authority: certificates of those that its own is from, PEM; empty for the public ones.
        domain: ours, for what a person is told to do.
    """

    def __init__(self, url: str, email: str, key: str, authority: str, domain: str) -> None:
        self._url = url
        self._email = email
        self._key = JWKEC(key=load_key(key))
        self._authority = authority
        self._domain = domain

    def order(self, key: str, names: tuple[str, ...], kind: Kind, show: Show, seconds: float) -> str:
        """A certificate for a private key, PEM, and these names, with those above it, PEM.

        Args:
            seconds: what it may take in all, when the server answers at all.

        Raises:
            Unusable: the server does not answer, or would refuse others as well.
            MailpodError: it refuses this one, or takes too long.
        """
        # acme compares it with clocks of that kind.
        deadline = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005
        with self._trusting() as authority, self._said_plainly(seconds):
            session = self._known(authority)
            order = session.new_order(_request(key, names))
            answers = dict(self._answers(order, kind))
            with show(list(answers)):
                for challenge, response in answers.values():
                    session.answer_challenge(challenge, response)
                return str(session.poll_and_finalize(order, deadline).fullchain_pem)

    @contextlib.contextmanager
    def _trusting(self) -> Iterator[str]:
        """A file of the authorities; an empty name for the public ones."""
        if not self._authority:
            yield ""
            return
        with tempfile.NamedTemporaryFile("w", prefix="mailpod-acme-") as file:
            file.write(self._authority)
            file.flush()
            yield file.name

    def _known(self, authority: str) -> client.ClientV2:
        """A session as somebody the server knows."""
        network = client.ClientNetwork(self._key, alg=ES256, user_agent=f"mailpod/{__version__}", timeout=_PATIENCE)
        if authority:
            network.verify_ssl = authority  # type: ignore[assignment]  # requests takes a file as well
        try:
            session = client.ClientV2(client.ClientV2.get_directory(self._url, network), network)
            wanted = messages.NewRegistration.from_data(email=self._email, terms_of_service_agreed=True)
            try:
                session.new_account(wanted)
            except errors.ConflictError as there:
                session.query_registration(messages.RegistrationResource(uri=there.location, body=wanted))
        except messages.Error as error:
            raise Unusable(
                f"the ACME server {self._url} refuses us: {_text(error)}", self._try("--acme-email ADDRESS")
            ) from error
        except (errors.Error, JoseError, KeyError, AttributeError, ValueError) as error:
            if isinstance(error, requests.exceptions.RequestException):
                raise
            raise Unusable(f"{self._url} is no ACME server", self._try("--acme-server URL")) from error
        return session

    def _answers(
        self, order: messages.OrderResource, kind: Kind
    ) -> Iterator[tuple[Challenge, tuple[messages.ChallengeBody, challenges.ChallengeResponse]]]:
        for authorization in order.authorizations:
            if authorization.body.status == messages.STATUS_VALID:
                continue
            name = authorization.body.identifier.value
            found = next((one for one in authorization.body.challenges if one.chall.typ == kind), None)
            if found is None:
                raise MailpodError(f"the ACME server does not prove {name} by {kind}", "see: docs/domain.md")
            response, value = found.response_and_validation(self._key)
            yield Challenge(name, found.chall.encode("token"), value), (found, response)

    @contextlib.contextmanager
    def _said_plainly(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise Unusable(
                f"the certificate of the ACME server {self._url} is not from an authority that is known here",
                self._try("--acme-ca FILE"),
            ) from error
        except requests.exceptions.RequestException as error:
            raise Unusable(
                f"the ACME server {self._url} does not answer: {innermost(error)}",
                "see that this machine reaches it; it is tried again by itself",
            ) from error
        except errors.ValidationError as error:
            raise MailpodError(f"the ACME server could not see that {_failed(error)}", _CHECK) from error
        except errors.IssuanceError as error:
            raise MailpodError(f"the ACME server refuses: {_text(error.error)}", _CHECK) from error
        except errors.TimeoutError as error:
            raise MailpodError(f"the ACME server took longer than {seconds:.0f} s", _AGAIN) from error
        except messages.Error as error:
            if error.code == "rateLimited":
                raise Unusable(f"the ACME server gives no more for now: {_text(error)}", _AGAIN) from error
            raise MailpodError(f"the ACME server refuses: {_text(error)}", _CHECK) from error
        except (errors.Error, JoseError) as error:
            raise MailpodError(f"the ACME server said what it should not: {error}", _AGAIN) from error

    def _try(self, option: str) -> str:
        return f"correct it with: mailpod up {self._domain} {option}"


_CHECK = "see: mailpod dns check; then: mailpod certificate renew"
_AGAIN = "it is tried again by itself"


def _request(key: str, names: tuple[str, ...]) -> bytes:
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(alternative, False)
    return request.sign(load_key(key), hashes.SHA256()).public_bytes(Encoding.PEM)


def _text(error: messages.Error) -> str:
    """What a server says is wrong, in one line."""
    parts = [error.detail or error.code or str(error.typ), *(one.detail or "" for one in error.subproblems or ())]
    return " ".join(" ".join(part for part in parts if part).split())


def _failed(error: errors.ValidationError) -> str:
    """Each name that was not proved, and why."""
    found = []
    for authorization in error.failed_authzrs:
        problems = [one.error for one in authorization.body.challenges if one.error is not None]
        found.append(f"{authorization.body.identifier.value} is ours: {', '.join(map(_text, problems))}")
    return "; ".join(dict.fromkeys(found))
