"""The images mailpod runs, named after what they are built from, and built when that name is not there."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mailpod.engine.port import Engine
from mailpod.host.base_image import ensure_base_image

SOURCES = Path(__file__).resolve().parents[3]
"""The folder that holds `compose.yaml` and `images/`."""

_BASE = "mailpod/base:trixie"


@dataclass(frozen=True)
class Image:
    """One image: its repository on the engine, its folder below `images/`, its target there (empty: the last)."""

    repository: str
    folder: str
    target: str

    @property
    def context(self) -> Path:
        """The folder it is built from."""
        return SOURCES / "images" / self.folder

    @cached_property
    def tag(self) -> str:
        """Its full name: the tag is a hash of every file it is built from, so a change has another name."""
        digest = hashlib.sha256()
        for path in sorted(self.context.rglob("*")):
            if path.is_file():
                executable = bool(path.stat().st_mode & 0o100)
                digest.update(f"{path.relative_to(self.context)}\0{executable}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return f"{self.repository}:{digest.hexdigest()[:12]}"


MAIN = Image("mailpod/main", "main", "")
ACCOUNT = {"classic": Image("mailpod/account-classic", "account", "classic")}
ALL = (MAIN, *ACCOUNT.values())


def ensure_images(engine: Engine, progress: Callable[[str], None], images: Iterable[Image] = ALL) -> None:
    """Build those of `images` that are missing, and first the base they stand on."""
    missing = [image for image in images if not engine.has_image(image.tag)]
    if not missing:
        return
    ensure_base_image(engine, _BASE, progress)
    for image in missing:
        progress(f"building {image.tag} (some minutes, once)")
        engine.build_image(image.context, image.tag, image.target, {"BASE": _BASE}, _ignore)


def _ignore(_line: str) -> None:
    pass
