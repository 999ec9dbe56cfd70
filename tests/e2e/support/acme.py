"""An ACME server in the outside: pebble, which Let's Encrypt tests with."""

import json
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.e2e.support.wait import until
from tests.e2e.support.world import World

_PORT, _MANAGEMENT = 14000, 15000


class Acme:
    """The server, once it runs.

    Attributes:
        url: of its directory.
        authority: file of the certificate that its own is.
        roots: file of what its certificates are verified by.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self.url = f"https://{world.address}:{_PORT}/dir"
        self.authority = folder / "acme.pem"
        self.roots = folder / "roots.pem"
        self._key, certificate = _certificate(world.address)
        self.authority.write_bytes(certificate)

    def start(self, resolver: str) -> None:
        """Start it; it asks the name server at `resolver` (`ADDRESS:PORT`), and has not heard of anybody yet."""
        config = {
            "listenAddress": f"0.0.0.0:{_PORT}",
            "managementListenAddress": f"0.0.0.0:{_MANAGEMENT}",
            "certificate": "/tmp/acme.pem",
            "privateKey": "/tmp/acme.key",
            "httpPort": 80,
            "tlsPort": 443,
        }
        for name, content in (
            ("acme.pem", self.authority.read_bytes()),
            ("acme.key", self._key),
            ("acme.json", json.dumps({"pebble": config}).encode()),
        ):
            self._world.give("/tmp", name, content)
        start = f"pebble -config /tmp/acme.json -dnsserver {resolver} >/tmp/acme.log 2>&1 &"
        self._world.run("sh", "-c", f"PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 {start}")
        self.roots.write_bytes(until(self._root, "the ACME server", 20))

    def stop(self) -> None:
        """Let it answer nobody any more."""
        self._world.run("pkill", "pebble")

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust in what it gives, and in nothing else."""
        return ssl.create_default_context(cafile=str(self.roots))

    def _root(self) -> bytes:
        url = f"https://{self._world.address}:{_MANAGEMENT}/roots/0"
        try:
            with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=str(self.authority))) as answer:
                return bytes(answer.read())
        except OSError:
            return b""


def _certificate(address: str) -> tuple[bytes, bytes]:
    """A key and a certificate for it by itself, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme.outside.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, made.public_bytes(Encoding.PEM)
