"""An S3 service in the outside."""

import secrets

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
        self._world.until_listening(_PORT)

    def stop(self) -> None:
        """Let it answer nobody any more."""
        self._world.end(f"s3 {_PORT}")
