"""An S3 service in the outside."""

import secrets
import socket

from tests.e2e.support.wait import until
from tests.e2e.support.world import World

_PORT = 9000


class S3:
    """The service, once it runs.

    Attributes:
        repository: a folder of a bucket that is not there yet, as `mailpod backup to` is told of it.
        key, secret: the customer's.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.repository = f"s3:http://{world.address}:{_PORT}/club/mail"
        self.key, self.secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)

    def start(self) -> None:
        """Start it, with nothing in it."""
        self._world.give("/run", "s3.keys", f"{self.key}\n{self.secret}\n".encode(), 0o600)
        self._world.run("sh", "-c", f"s3 {_PORT} </run/s3.keys >/tmp/s3.log 2>&1 &")
        until(self._answers, "the S3 service", 20)

    def stop(self) -> None:
        """Let it answer nobody any more."""
        self._world.run("pkill", "--full", f"s3 {_PORT}")
        until(lambda: self._world.run("pgrep", "--full", f"s3 {_PORT}")[0] != 0, "the end of the S3 service")

    def _answers(self) -> bool:
        with socket.create_connection((self._world.address, _PORT), timeout=5):
            return True
