"""Other versions of mailpod: copies of its sources with something changed in the images."""

import shutil
from pathlib import Path

from tests.e2e.support.cli import ROOT

_PARTS = ("mailpod", "compose.yaml", "src", "images", "requirements")


def version(folder: Path, changes: dict[str, str]) -> Path:
    """Make one in a folder that is not there yet.

    Args:
        changes: what programs of the images are to be, by path below `images/`.
    """
    folder.mkdir()
    for part in _PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, folder / part)
    for name, text in changes.items():
        path = folder / "images" / name
        path.write_text(text)
        path.chmod(0o755)
    return folder
