"""The system's own certificate authority, and the keys of its elements.

    secrets/ca_key.pem, ca.pem               the authority
    secrets/operator_key, operator_key.pub   the control plane's SSH key
    secrets/dns_secret                       what changes of the zone are signed with
    secrets/secondaries/                     the same for each secondary name server, by its host name
    secrets/identities/                      one file for main, and one for each account, by id

An element keeps its SSH host key for good, so that who knew it knows it again. What an account proves itself with
toward main is another each time its container is made anew.
"""

import base64
import hashlib
import secrets
import tomllib
from collections.abc import Collection, Iterable
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailpod.model.errors import MailpodError
from mailpod.model.identity import Identity
from mailpod.model.records import now
from mailpod.model.tables import INTERNAL
from mailpod.store import Store, write_durably

_AUTHORITY_LIFE = timedelta(days=3650)
# Apple's clients refuse certificates of private authorities that live longer than 825 days.
_LIFE = timedelta(days=820)
_LONGEST_COMMON_NAME = 64
_RENEW_BEFORE = timedelta(days=270)
# A constraint of names leaves addresses free; these are all there are.
_ADDRESSES = [x509.IPAddress(ip_network(everything)) for everything in ("0.0.0.0/0", "::/0")]


class Keys:
    """Makes and reads keys in the secrets of one state folder.

    Args:
        store: the state folder.
        organisation: the domain, which the authority is named after.
    """

    def __init__(self, store: Store, organisation: str) -> None:
        self._folder = store.secrets
        self._organisation = organisation

    def authority(self) -> str:
        """The authority's certificate, PEM; made on the first call."""
        path = self._folder / "ca.pem"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"mailpod {self._organisation}")])
            certificate = (
                _builder(name, name, _AUTHORITY_LIFE)
                .public_key(key.public_key())
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_usage(signing_certificates=True), critical=True)
                # Whoever trusts it trusts it for this system alone (RFC 5280 section 4.2.1.10).
                .add_extension(x509.NameConstraints(_trees(self._organisation, INTERNAL), _ADDRESSES), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .sign(key, hashes.SHA256())
            )
            self._write(self._folder / "ca_key.pem", _pem(key))
            self._write(path, certificate.public_bytes(Encoding.PEM).decode())
        return path.read_text()

    def operator(self) -> tuple[Path, str]:
        """The file of the control plane's private SSH key, and its public line; made on the first call."""
        path = self._folder / "operator_key"
        public = self._folder / "operator_key.pub"
        if not public.exists():
            private, line = ssh_pair()
            self._write(path, private)
            self._write(public, line)
        return path, public.read_text().strip()

    def dns_secret(self) -> str:
        """What changes of the zone are signed with (TSIG): 32 bytes in base64; made on the first call."""
        return self._shared(self._folder / "dns_secret")

    def secondary_secret(self, name: str) -> str:
        """What a secondary name server proves itself with, and is told of changes with; likewise."""
        return self._shared(self._secondary_path(name))

    def forget_other_secondaries(self, names: Collection[str]) -> None:
        """Remove that of every secondary but these."""
        for path in self._secondary_path("").glob("*"):
            if path.name not in names:
                path.unlink()

    def _secondary_path(self, name: str) -> Path:
        return self._folder / "secondaries" / name

    def _shared(self, path: Path) -> str:
        if not path.exists():
            self._write(path, base64.b64encode(secrets.token_bytes(32)).decode())
        return path.read_text()

    def identity(self, element: str, names: Iterable[str]) -> Identity:
        """The identity of `element` (`main` or an account's id), made or renewed when needed.

        Args:
            names: DNS names its certificate is for.
        """
        path = self._path(element)
        wanted = tuple(names)
        if path.exists():
            identity = Identity.model_validate(tomllib.loads(path.read_text()))
            if not needs_renewal(identity.tls_certificate, wanted):
                return identity
            key = load_key(identity.tls_key)
            identity = identity.model_copy(update={"tls_certificate": self._certify(key, wanted)})
        else:
            private, line = ssh_pair()
            identity = Identity(ssh_host_key=private, ssh_host_public=line, **self._proofs(wanted))
        self._save(element, identity)
        return identity

    def adopt(self, element: str, ssh_host_key: str, ssh_host_public: str, names: Iterable[str]) -> None:
        """Give an element that comes from elsewhere an identity with its SSH host key, by which it is known.

        Args:
            names: DNS names its certificate is for.
        """
        proofs = self._proofs(tuple(names))
        self._save(element, Identity(ssh_host_key=ssh_host_key, ssh_host_public=ssh_host_public, **proofs))

    def rotate(self, element: str, names: Iterable[str]) -> None:
        """Give an element another TLS key and relay secret; those it had prove nothing once main and it know the new.

        Its SSH host key stays: by that the operator's channel knows whom it gives the new ones to.

        Args:
            names: DNS names its certificate is for.
        """
        wanted = tuple(names)
        self._save(element, self.identity(element, wanted).model_copy(update=self._proofs(wanted)))

    def _proofs(self, names: tuple[str, ...]) -> dict[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        return {
            "tls_key": _pem(key),
            "tls_certificate": self._certify(key, names),
            "relay_secret": secrets.token_urlsafe(32),
        }

    def _save(self, element: str, identity: Identity) -> None:
        self._write(self._path(element), tomli_w.dumps(identity.model_dump()))

    def relay_secrets(self, ids: Iterable[str]) -> dict[str, str]:
        """By account id, what each account proves itself with at main's relay."""
        return {one: tomllib.loads(self._path(one).read_text())["relay_secret"] for one in ids}

    def forget(self, element: str) -> None:
        """Remove an identity."""
        self._path(element).unlink(missing_ok=True)

    def _path(self, element: str) -> Path:
        return self._folder / "identities" / f"{element}.toml"

    def certify(self, key: str, names: tuple[str, ...]) -> str:
        """A certificate by the authority, PEM, for a private key in PEM and these DNS names."""
        return self._certify(load_key(key), names)

    def _certify(self, key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> str:
        authority = x509.load_pem_x509_certificate(self.authority().encode())
        authority_key = load_key((self._folder / "ca_key.pem").read_text())
        # A common name holds 64 characters (RFC 5280 appendix A.1); the names that count are the alternative ones.
        common = names[0] if len(names[0]) <= _LONGEST_COMMON_NAME else names[0].partition(".")[0]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        certificate = (
            _builder(subject, authority.subject, _LIFE)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signing_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode()

    def _write(self, path: Path, content: str) -> None:
        write_durably(path, content.encode(), 0o600)


def fingerprint(identity: Identity) -> str:
    """SHA-256 of the TLS public key, as Postfix's `smtpd_tls_fingerprint_digest` prints it."""
    public = load_key(identity.tls_key).public_key()
    digest = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return digest.hex(":").upper()


def load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """A private key for TLS from PEM; raises `MailpodError` when it is none of ours."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MailpodError("a TLS key in the state folder is of another kind", "restore the folder from its backup")
    return key


def new_key() -> str:
    """A new private key for TLS, PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def ssh_pair() -> tuple[str, str]:
    """A new SSH key: the private one, and its public line."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _builder(subject: x509.Name, issuer: x509.Name, life: timedelta) -> x509.CertificateBuilder:
    # An hour back, for clients whose clock is slow.
    start = now() - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
    )


def _usage(*, signing_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signing_certificates,
        crl_sign=signing_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _trees(*domains: str) -> list[x509.GeneralName]:
    return [x509.DNSName(domain) for domain in domains]


def needs_renewal(pem: str, names: tuple[str, ...]) -> bool:
    """Whether a certificate of the authority is for other names, or ends before long."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    same = set(alternative.get_values_for_type(x509.DNSName)) == set(names)
    return not same or certificate.not_valid_after_utc - now() < _RENEW_BEFORE
