"""A mailbox on another server that mail is brought from, and how mbsync(1) is told to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import unquote, urlsplit

from mailpod.model.errors import InvalidInput

_PORTS = {"imaps": 993, "imap": 143}
_TLS = {"imaps": "IMAPS", "imap": "STARTTLS"}
_HINT = "give it as imaps://USER@HOST, or imap://USER@HOST for STARTTLS"
_WORK = "/run/mailpod/import"


@dataclass(frozen=True)
class ImapSource:
    """Where mail is.

    Attributes:
        scheme: `imaps`, or `imap` for a session that is encrypted once it has begun (STARTTLS).
        user: what to log in as.
        host: name or address, which the certificate has to be for.
        port: its port.
    """

    scheme: str
    user: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "ImapSource":
        """One from a URL (RFC 5092); a user's name may be percent-encoded, or have an `@`.

        Raises:
            InvalidInput: it is none, or has a password or a folder in it.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InvalidInput(f"{url!r} is no server: {error}", _HINT) from error
        if parts.scheme not in _PORTS or not parts.hostname or not parts.username:
            raise InvalidInput(f"{url!r} does not say which mailbox on which server", _HINT)
        if parts.password is not None:
            raise InvalidInput("a password on the command line is seen by others", "give it with --password-stdin")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidInput(f"{url!r} has more than a server in it", _HINT)
        user = unquote(parts.username)
        if not all(one.isprintable() and one not in '"\\' for one in user + parts.hostname) or " " in parts.hostname:
            raise InvalidInput("the user or the host has characters that cannot be in one", _HINT)
        return cls(parts.scheme, user, parts.hostname, port or _PORTS[parts.scheme])

    @property
    def address(self) -> str:
        """`HOST:PORT`, an IPv6 address in brackets."""
        return f"{f'[{self.host}]' if _is_ipv6(self.host) else self.host}:{self.port}"

    def mbsync(self, *, own_authority: bool, without: Sequence[str] = ()) -> str:
        """The configuration of mbsync in an account (images/account/base/operator/import).

        What has been copied once is not copied again, even if it is not there any more. Nothing changes on the server.

        Args:
            own_authority: the server's certificate is from the authority in `ca.pem` and from no public one.
            without: patterns of folders to leave out; see `mailpod.model.folder_pattern`.
        """
        known_by = hashlib.sha256(f"{self.user}@{self.address}".encode()).hexdigest()[:16]
        # What matches last holds.
        patterns = " ".join(["*", *(f'"!{pattern}"' for pattern in without)])
        trust = f"SystemCertificates no\nCertificateFile {_WORK}/ca.pem\n" if own_authority else ""
        return f"""\
IMAPAccount far
Host "{self.host}"
User "{self.user}"
PassCmd "cat {_WORK}/password"
TLSType {_TLS[self.scheme]}
{trust}Timeout 120
Tunnel /usr/lib/mailpod/operator/tunnel

IMAPStore far
Account far

IMAPAccount near
Tunnel /usr/lib/mailpod/stack/mailbox
Timeout 120

IMAPStore near
Account near

Channel import
Far :far:
Near :near:
Patterns {patterns}
Create Near
Expunge None
Sync PullNew PullFlags
CopyArrivalDate yes
SyncState /data/import/{known_by}-
"""


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True
