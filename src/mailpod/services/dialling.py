"""Who answers at a port: what can be told of that from this machine."""

import contextlib
import smtplib
import socket
import ssl
from typing import Protocol

_PATIENCE = 5.0
_LONGEST_GREETING = 512
# RFC 2606: nobody's.
_OWN_NAME = "check.invalid"


class Dial(Protocol):
    """Connects to ports."""

    def __call__(self, address: str, port: int, *, greeted: bool = False) -> str:
        """Connect, and hang up.

        Args:
            greeted: wait for a line, as a mail server says one first.

        Returns:
            That line; empty for none.

        Raises:
            OSError: nobody answers.
        """

    def certificate(self, address: str, port: int, *, starttls: bool = False) -> bytes:
        """What is shown there to whoever names no host, whether or not anybody trusts it.

        Args:
            starttls: a mail server is there, who is to be asked for TLS first (RFC 3207).

        Returns:
            The certificate, DER.

        Raises:
            OSError: nobody answers, or shows one.
        """


class _Tcp:
    """A `Dial` over TCP."""

    def __call__(self, address: str, port: int, *, greeted: bool = False) -> str:
        with socket.create_connection((address, port), _PATIENCE) as connection:
            if not greeted:
                return ""
            with contextlib.suppress(TimeoutError):
                return connection.recv(_LONGEST_GREETING).decode(errors="replace").strip()
            return ""

    def certificate(self, address: str, port: int, *, starttls: bool = False) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if starttls:
            with smtplib.SMTP(address, port, _OWN_NAME, _PATIENCE) as session:
                session.starttls(context=context)
                return _shown(session.sock)
        with (
            socket.create_connection((address, port), _PATIENCE) as connection,
            context.wrap_socket(connection) as encrypted,
        ):
            return _shown(encrypted)


dial: Dial = _Tcp()
"""Connects over TCP."""


def _shown(connection: socket.socket | None) -> bytes:
    der = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
    if not der:
        raise OSError("no certificate")
    return der


def reason(error: OSError) -> str:
    """Why nobody answers, in a word or two."""
    return "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
