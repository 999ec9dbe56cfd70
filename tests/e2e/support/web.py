"""Requests to main's web server from outside, at the standard ports and by the public names, verified with curl."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.e2e.support.system import System

_TRUST = ("--silent", "--show-error", "--cacert", "/etc/ssl/certs/club-ca.pem")


@dataclass(frozen=True)
class Answer:
    """What the server answered.

    Attributes:
        headers: values by name in lower case, each as often as it was sent.
    """

    status: int
    headers: dict[str, list[str]]
    body: str

    def header(self, name: str) -> str:
        """The value of a header that there has to be once."""
        [value] = self.headers.get(name, [])
        return value

    def json(self) -> Any:  # noqa: ANN401  (whatever JSON can hold)
        """The body as JSON."""
        return json.loads(self.body)


def ask(system: System, url: str, *options: str) -> Answer:
    """Request a URL with curl.

    Args:
        system: whose names the outside can look up; a name below an account's is led to main all the same.
        url: with a host name.
        options: more of curl's.
    """
    host = url.split("/")[2]
    port = 443 if url.startswith("https:") else 80
    code, output = system.world.run(
        *("curl", *_TRUST, "--dump-header", "-", "--resolve", f"{host}:{port}:{system.world.main_address}"),
        *(*options, url),
    )
    assert code == 0, output
    head, _, body = output.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.splitlines()
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    match = re.match(r"HTTP/[\d.]+ (\d+)", status)
    assert match, output
    return Answer(int(match[1]), headers, body)
