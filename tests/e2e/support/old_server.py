"""An IMAP server elsewhere, with a certificate of its own authority: what an account is moved from."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class OldServer:
    """Leads everybody to a real IMAP server, under the name `localhost`.

    Args:
        folder: for its certificate.
        behind: address and port of the server behind it, which speaks TLS.

    Attributes:
        authority: PEM file of what its certificate is from.
        cut_after: bytes after which a connection breaks; 0 for never.
    """

    def __init__(self, folder: Path, behind: tuple[str, int]) -> None:
        self.cut_after = 0
        self._behind = behind
        self.authority = folder / "old.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        start = datetime.now(UTC) - timedelta(hours=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.authority.write_bytes(certificate.public_bytes(Encoding.PEM))
        private = folder / "old.key"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(self.authority, private)
        self._listener = socket.create_server(("127.0.0.1", 0))

    def url(self, user: str) -> str:
        """The URL of a user's mailbox."""
        return f"imaps://{user}@localhost:{self._listener.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator["OldServer"]:
        """Serve until the end."""
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._join, args=[self._listener.accept()[0]], daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        behind = ssl.create_default_context()
        behind.check_hostname, behind.verify_mode = False, ssl.CERT_NONE
        with (
            suppress(OSError),
            self._context.wrap_socket(client, server_side=True) as here,
            behind.wrap_socket(socket.create_connection(self._behind)) as there,
        ):
            threading.Thread(target=_pump, args=[here, there], daemon=True).start()
            _pump(there, here, self.cut_after)


def _pump(source: socket.socket, target: socket.socket, most: int = 0) -> None:
    count = 0
    with suppress(OSError):
        while (piece := source.recv(65536)) and not (most and count > most):
            target.sendall(piece)
            count += len(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
