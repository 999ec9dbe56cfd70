"""An ACME server that gives what is asked for, or not."""

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mailpod.model.records import now
from mailpod.services.acme import Challenge, Kind, Show
from mailpod.services.keys import load_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailpod.model.errors import MailpodError

LIFE = timedelta(days=90)


@cache
def _authority() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class FakeAcme:
    """Behaves as `mailpod.services.acme.AcmeServer` does.

    Attributes:
        orders: the names of every order, and how they were to be proved.
        problem: what it refuses with, by one of the names of an order.
        start: from when on its certificates hold.
        looks: called while the proof can be seen.
    """

    def __init__(self) -> None:
        self.orders: list[tuple[tuple[str, ...], Kind]] = []
        self.problem: dict[str, MailpodError] = {}
        self.start: datetime = now()
        self.looks: Callable[[list[Challenge]], object] = lambda _challenges: None

    def order(self, key: str, names: tuple[str, ...], kind: Kind, show: Show, seconds: float) -> str:
        assert seconds > 0
        self.orders.append((names, kind))
        for name in names:
            if name in self.problem:
                raise self.problem[name]
        challenges = [Challenge(name, f"token-{name}", f"proof-{name}") for name in names]
        with show(challenges):
            self.looks(challenges)
        return self._certificate(key, names)

    def _certificate(self, key: str, names: tuple[str, ...]) -> str:
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Made Up")])
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer)
            .public_key(load_key(key).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.start)
            .not_valid_after(self.start + LIFE)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
            .sign(_authority(), hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM).decode()
