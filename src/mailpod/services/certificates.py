"""The keys and certificates that clients see; between main and the accounts the system's own authority counts alone.

secrets/certificates/main.toml   main's
secrets/certificates/ID.toml     an account's
secrets/acme.toml                what ACME servers know the system by
"""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import tomli_w
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel

from mailpod.model.certificate import AcmeAccount, Certificate
from mailpod.model.errors import MailpodError
from mailpod.model.records import System, now
from mailpod.services.keys import Keys, load_key, needs_renewal, new_key
from mailpod.store import Store, write_durably

# With a third of its life left: also those that live for some days come in time.
_LAST_PART = 3


class Certificates:
    """Makes and reads what clients see, in the secrets of one state folder.

    Args:
        store: the state folder.
        keys: of the same system.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def of(self, owner: str, names: tuple[str, ...], key: str = "") -> Certificate:
        """What `owner` (`main` or an account's id) shows, made or certified by the own authority anew when needed.

        Args:
            names: that clients know it by.
            key: the private key it begins with, PEM; a new one when nothing is said.
        """
        found = self._find(owner)
        if found and not needs_renewal(found.own, names):
            return found
        with self._store.lock("certificates"):
            # Somebody else may have been first.
            found = self._find(owner) or Certificate(key=key or new_key(), own="")
            if not found.own or needs_renewal(found.own, names):
                found = found.model_copy(update={"own": self._keys.certify(found.key, names)})
                _write(self._path(owner), found)
        return found

    def change(self, owner: str, key: str, changes: Mapping[str, object]) -> Certificate:
        """Change what `owner` shows with a certain key.

        Raises:
            MailpodError: it has another by now, or is gone.
        """
        with self._store.lock("certificates"):
            found = self._find(owner)
            if found is None or found.key != key:
                raise MailpodError("its key was replaced meanwhile", "it is tried again by itself")
            found = found.model_copy(update=changes)
            _write(self._path(owner), found)
        return found

    def _find(self, owner: str) -> Certificate | None:
        path = self._path(owner)
        return Certificate.model_validate(tomllib.loads(path.read_text())) if path.exists() else None

    def forget(self, owner: str) -> None:
        """Remove what `owner` showed, and its key."""
        self._path(owner).unlink(missing_ok=True)

    def acme_account(self) -> AcmeAccount:
        """What ACME servers know the system by; made on the first call."""
        path = self._store.secrets / "acme.toml"
        if not path.exists():
            self.save_acme_account(AcmeAccount(key=new_key()))
        return AcmeAccount.model_validate(tomllib.loads(path.read_text()))

    def save_acme_account(self, account: AcmeAccount) -> None:
        """Keep it."""
        _write(self._store.secrets / "acme.toml", account)

    def _path(self, owner: str) -> Path:
        return self._store.secrets / "certificates" / f"{owner}.toml"


def shown(certificate: Certificate, system: System) -> str:
    """The key and the certificates to serve, PEM: those of an ACME server while they hold, else of the authority."""
    return certificate.key + _chain(certificate, system)


def _chain(certificate: Certificate, system: System) -> str:
    return certificate.chain if _is_of_acme(certificate, system) else certificate.own


def _is_of_acme(certificate: Certificate, system: System) -> bool:
    return bool(system.acme_email and certificate.chain) and not expired(certificate)


def key_digest(certificate: Certificate) -> str:
    """SHA-256 of its public key, as TLSA records have it (RFC 6698 section 2.1): 64 hexadecimal digits."""
    return digest(load_key(certificate.key).public_key())


def digest(public: PublicKeyTypes) -> str:
    """The same of a public key."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def leaf(pem: str) -> x509.Certificate:
    """The first certificate of a chain; raises `ValueError` when there is none."""
    return x509.load_pem_x509_certificates(pem.encode())[0]


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names it is for."""
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(alternative.get_values_for_type(x509.DNSName))


def issuer_of(certificate: x509.Certificate) -> str:
    """Who gave it, in a word or two."""
    for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME):
        for one in certificate.issuer.get_attributes_for_oid(oid):
            return str(one.value)
    return certificate.issuer.rfc4514_string()


def expired(certificate: Certificate) -> bool:
    """Whether what the ACME server gave is over."""
    return leaf(certificate.chain).not_valid_after_utc <= now()


def is_public(certificate: Certificate, system: System, trusted: str = "") -> bool:
    """Whether everybody trusts what main shows others for its mail host and its policy host.

    Args:
        trusted: authorities that everybody has beside the public ones where this system is, PEM.
    """
    chain = x509.load_pem_x509_certificates(_chain(certificate, system).encode())
    if not {f"mail.{system.domain}", f"mta-sts.{system.domain}"} <= set(names_of(chain[0])):
        return False
    if _is_of_acme(certificate, system) and not system.acme_ca:
        return True
    known = x509.load_pem_x509_certificates(trusted.encode()) if trusted else []
    return any(_issued(chain[-1], authority) for authority in known)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def renewal(certificate: x509.Certificate) -> datetime:
    """When it is time for the next."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return end - (end - start) / _LAST_PART


def _write(path: Path, record: BaseModel) -> None:
    document = record.model_dump(mode="json", exclude_none=True)
    write_durably(path, tomli_w.dumps(document).encode(), 0o600)
