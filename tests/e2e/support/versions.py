"""Other versions of mailpod: copies of its sources with something changed in the images."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker.errors import ImageNotFound
from tests.e2e.support.cli import ROOT, Cli
from tests.e2e.support.system import System

from mailpod.services.images import ACCOUNT, MAIN

_PARTS = ("mailpod", "compose.yaml", "src", "images", "requirements")


_NAMES = (
    "from mailpod.services.images import ACCOUNT, MAIN; print(MAIN.tag, *(image.tag for image in ACCOUNT.values()))"
)


@contextmanager
def version(system: System, folder: Path, changes: dict[str, str]) -> Iterator[Cli]:
    """The system in the hands of another version; that one's images are removed afterwards.

    Args:
        folder: is not there yet.
        changes: what programs of the images are to be, by path below `images/`.
    """
    cli, tags = in_other_hands(system, folder, changes)
    yield cli
    for tag in set(tags) - {image.tag for image in (MAIN, *ACCOUNT.values())}:
        with suppress(ImageNotFound):
            system.engine.client.images.remove(tag)


def in_other_hands(system: System, folder: Path, changes: dict[str, str]) -> tuple[Cli, list[str]]:
    """The same, and the names that its images have or will have: main's, then those of the stacks in their order."""
    folder.mkdir()
    for part in _PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, folder / part)
    for name, text in changes.items():
        path = folder / "images" / name
        path.write_text(text)
        path.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    named = subprocess.run([sys.executable, "-c", _NAMES], env=environment, capture_output=True, text=True, check=True)
    return system.cli.of_version(folder), named.stdout.split()
