"""Programs in Python that images have beside Debian's packages: this environment's, which are pinned and verified."""

import importlib.metadata
from pathlib import Path

_METADATA = ("METADATA", "entry_points.txt")


def files(name: str) -> dict[str, Path]:
    """The files of a distribution by their path below `site-packages`: its modules, and what tells of them.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed here.
    """
    return {
        str(path): Path(str(path.locate()))
        for path in importlib.metadata.files(name) or ()
        if path.suffix == ".py" or path.name in _METADATA
    }
