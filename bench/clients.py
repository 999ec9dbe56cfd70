"""The clients that the measures need, small enough to have no part in the figures."""

import http.cookiejar
import re
import select
import socket
import ssl
import time
import urllib.parse
import urllib.request
from typing import Self


def greeting(host: str, port: int, timeout: float = 5) -> str:
    """What a server says first."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        return connection.recv(200).decode(errors="replace")


class Imap:
    """A logged-in IMAP session (RFC 9051) that can IDLE (RFC 2177).

    Args:
        tls: None for a session in the clear.
        name: the server's name in its certificate.
    """

    def __init__(
        self, host: str, port: int, login: str, password: str, tls: ssl.SSLContext | None = None, name: str = ""
    ) -> None:
        plain = socket.create_connection((host, port), timeout=30)
        try:
            self._socket = tls.wrap_socket(plain, server_hostname=name) if tls else plain
        except BaseException:
            plain.close()
            raise
        self._buffer = b""
        self._tag = 0
        self._messages = 0
        try:
            self._line()
            self.command(f'LOGIN "{login}" "{password}"')
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def command(self, text: str) -> list[str]:
        """Send a command and read to its end.

        Raises:
            OSError: the server refused it or the connection broke.
        """
        self._tag += 1
        self._socket.sendall(f"a{self._tag} {text}\r\n".encode())
        lines = []
        while True:
            line = self._line()
            lines.append(line)
            if line.startswith(f"a{self._tag} "):
                if not line.startswith(f"a{self._tag} OK"):
                    raise OSError(f"{text.split(maxsplit=1)[0]}: {line}")
                return lines

    def idle(self) -> None:
        """Begin to IDLE in INBOX."""
        for line in self.command("SELECT INBOX"):
            self._count(line)
        self._socket.sendall(b"idle IDLE\r\n")
        while not self._line().startswith("+"):
            pass

    def wait_for_new(self, seconds: float) -> float:
        """The moment (monotonic) at which the server told of more messages.

        Raises:
            OSError: it did not in so many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._count(self._line(max(0.001, deadline - time.monotonic()))):
                return time.monotonic()

    def _count(self, line: str) -> bool:
        """Take note of a response; whether it tells of more messages than were known."""
        found = re.match(r"\* (\d+) EXISTS", line)
        before = self._messages
        self._messages = int(found[1]) if found else before
        return self._messages > before

    def _line(self, timeout: float = 30) -> str:
        while b"\n" not in self._buffer:
            pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
            if not pending and not select.select([self._socket], [], [], timeout)[0]:
                raise TimeoutError("the IMAP server was silent")
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionError("the IMAP server hung up")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")


def webmail_login(host: str, port: int, name: str, password: str, tls: ssl.SSLContext) -> None:
    """Log in to Roundcube and look at the inbox, as a browser without scripts.

    Raises:
        OSError: it did not work.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.load_verify_locations(cadata="".join(ssl.DER_cert_to_PEM_cert(der) for der in tls.get_ca_certs(True)))
    trusting.check_hostname = False  # the address is the loopback's
    browser = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trusting),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
    )
    url = f"https://{host}:{port}/"
    first = browser.open(f"{url}?_task=login", timeout=30).read().decode()
    token = re.search(r'name="_token" value="([^"]+)"', first)
    form = {
        "_token": token[1] if token else "",
        "_task": "login",
        "_action": "login",
        "_user": name,
        "_pass": password,
    }
    data = urllib.parse.urlencode(form).encode()
    inbox = browser.open(f"{url}?_task=login", data=data, timeout=30).read().decode()
    if "_task=logout" not in inbox:
        raise OSError("the webmail refused the login")
    browser.open(f"{url}?_task=mail&_action=list&_mbox=INBOX&_remote=1", timeout=30).read()
