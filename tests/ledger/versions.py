"""Another version of mailpod, whose images are the same programs under other names."""

import io
import secrets
from pathlib import Path

from tests.e2e.support.system import System
from tests.e2e.support.versions import in_other_hands

from mailpod.services.images import ACCOUNT, MAIN


class Newer:
    """The system in the hands of that version.

    Args:
        folder: is not there yet.
    """

    def __init__(self, system: System, folder: Path) -> None:
        self._system = system
        mark = secrets.token_hex(8)
        self._cli, tags = in_other_hands(system, folder, {"account/base/version": mark, "main/version": mark})
        self._names = dict(zip((MAIN.tag, *(image.tag for image in ACCOUNT.values())), tags, strict=True))

    def upgrade(self, name: str) -> None:
        """Bring an account, or main, to its image; if that is where it is, back."""
        self._prepare()
        if not self._cli.ok("upgrade", name, "--json").json():
            self._cli.ok("rollback", name)

    def kill(self, seconds: float, name: str) -> None:
        """Begin the same, and kill the command after so many seconds."""
        self._prepare()
        self._cli.kill_after(seconds, "upgrade", name)

    def _prepare(self) -> None:
        """What no record names is removed now and then."""
        images = self._system.engine.client.images
        there = {tag for image in images.list() for tag in image.tags}
        for old, new in self._names.items():
            if new not in there:
                images.build(fileobj=io.BytesIO(f"FROM {old}\nLABEL version={new}\n".encode()), tag=new, rm=True)
