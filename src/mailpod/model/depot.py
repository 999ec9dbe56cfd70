"""Where the backups of one account, or of the state folder, lie, and what is wrong with it when something is."""

import base64
from dataclasses import dataclass, field

from mailpod.model.archive import File, tar
from mailpod.model.backup import SYSTEM
from mailpod.model.errors import MailpodError

MISSING, LOCKED, WRONG_KEY = 10, 11, 12
"""Exit codes of restic(1): there is no repository, somebody works on it, the password is another."""
UNREACHED = 75
"""That of `images/backup/repository` where there is no way to the repository (EX_TEMPFAIL of sysexits(3))."""

BESIDE = "backup"
"""What a container is there for that only reads a repository, or removes it, instead of an account's id."""
LOCKS = {BESIDE: BESIDE, SYSTEM: f"backup-{SYSTEM}"}
"""Of what such a container is there for that is no account: the lock which whoever has started it holds."""


@dataclass(frozen=True)
class Depot:
    """One repository of restic's, as the containers know it that work on it.

    Attributes:
        element: whose backups they are: an account's id, or `system`.
        instance: of the system.
        image: what those containers are made of.
        path: the repository as rclone knows it, e.g. `depot:mail/1f2e3d4c5b6a`.
        folder: a folder of this machine's that they see as `/repository`; empty when it lies elsewhere.
        password: what it is encrypted with.
        ways: how rclone gets at it: its configuration, and the files that names.
    """

    element: str
    instance: str
    image: str
    path: str
    folder: str
    password: str = field(repr=False)
    ways: tuple[File, ...] = field(repr=False, default=())

    def key(self) -> bytes:
        """The first line for a container that reads and writes what is in it."""
        return _line((self._password(),))

    def key_and_ways(self) -> bytes:
        """The first line for a container that also gets at it."""
        return _line((self._password(), *self.ways))

    def _password(self) -> File:
        return File("password", self.password.encode(), 0o600)


def _line(files: tuple[File, ...]) -> bytes:
    return base64.b64encode(tar(files)) + b"\n"


class DepotError(MailpodError):
    """A repository could not be worked on.

    Args:
        code: the exit code, of restic(1) or of rclone(1).
    """

    def __init__(self, what: str, hint: str, code: int) -> None:
        super().__init__(what, hint)
        self.code = code
        if code == WRONG_KEY:
            self.exit_code = 2
