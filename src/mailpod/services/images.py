"""The images mailpod runs, named after what they are built from, and built when that name is not there."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from mailpod.engine.port import Engine
from mailpod.host.base_image import ensure_base_image
from mailpod.host.locks import lock
from mailpod.model import composition
from mailpod.model.errors import MailpodError
from mailpod.model.records import Account, MainImages, Stack, System, now
from mailpod.services import distributions

SOURCES = Path(__file__).resolve().parents[3]
"""The folder that holds `compose.yaml` and `images/`."""

_DEBIAN = "mailpod/base:trixie"
_BUILD_SECONDS = 1800


@dataclass(frozen=True)
class Image:
    """One image of ours.

    Attributes:
        repository: its name on the engine.
        folder: what it is built from, below `images/`.
        target: its target there (empty: the last).
        base: the image of ours that it is built on; without one, Debian's.
        others: names of folders in there that it does not use.
        programs: Python distributions it also has, from this environment; in its context they lie in `distributions/`.
    """

    repository: str
    folder: str
    target: str = ""
    base: "Image | None" = None
    others: frozenset[str] = frozenset()
    programs: tuple[str, ...] = ()

    @property
    def context(self) -> Path:
        """The folder it is built from."""
        return SOURCES / "images" / self.folder

    @property
    def tag(self) -> str:
        """Its full name: it tells every file it is built from, and the time of its packages. A change has another."""
        return self.tag_of(packages())

    def tag_of(self, time: str) -> str:
        """What it is called with Debian's packages of another time, as `packages` tells it."""
        return "-".join(filter(None, (self.name, time)))

    @cached_property
    def name(self) -> str:
        """Its full name as long as nobody has asked for newer packages."""
        digest = hashlib.sha256(self.base.name.encode() if self.base else b"")
        for path in sorted(self.context.rglob("*")):
            if path.is_file() and path.relative_to(self.context).parts[0] not in self.others:
                executable = bool(path.stat().st_mode & 0o100)
                digest.update(f"{path.relative_to(self.context)}\0{executable}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        for name, path in sorted(self._added().items()):
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return f"{self.repository}:{digest.hexdigest()[:12]}"

    def _added(self) -> dict[str, Path]:
        return {name: path for program in self.programs for name, path in distributions.files(program).items()}

    @contextlib.contextmanager
    def whole_context(self) -> Iterator[Path]:
        """A folder with all it is built from, for the time of a build."""
        if not self.programs:
            yield self.context
            return
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "context"
            shutil.copytree(self.context, whole)
            for name, path in self._added().items():
                copy = whole / "distributions" / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
            yield whole


COMMON = Image("mailpod/common", "common")
MAIN = Image("mailpod/main", "main", base=COMMON, programs=("tlsrpt-reporter",))
DNS = Image("mailpod/dns", "dns", base=COMMON)
ANTIVIRUS = Image("mailpod/antivirus", "antivirus")
BACKUP = Image("mailpod/backup", "backup")
_STACKS: tuple[Stack, ...] = get_args(Stack)
ACCOUNT = {
    stack: Image(f"mailpod/account-{stack}", "account", stack, COMMON, frozenset(_STACKS) - {stack})
    for stack in _STACKS
}


BESIDE_MAIN = {"dns": DNS, "antivirus": ANTIVIRUS}
"""By the name of its service, what may run beside main."""


def of_account(account: Account) -> str:
    """Name of the image that an account is to run on."""
    return account.image or ACCOUNT[account.stack].tag


def of_main(system: System) -> MainImages:
    """Names of the images that main, and what may be beside it, are to run on."""
    held = system.images
    return MainImages(main=held.main or MAIN.tag, dns=held.dns or DNS.tag, antivirus=held.antivirus or ANTIVIRUS.tag)


def newest_of_main(system: System) -> MainImages:
    """Names of the images that main, and what is to be beside it, would run on after an upgrade."""
    return MainImages(main=MAIN.tag, **{name: BESIDE_MAIN[name].tag for name in composition.profiles(system)})


def packages() -> str:
    """When Debian's packages were taken anew (`renew`), such as `20261231-2359`, UTC; empty if never."""
    with contextlib.suppress(FileNotFoundError):
        return _packages_file().read_text().strip()
    return ""


def _packages_file() -> Path:
    """Beside what images are built from: whoever builds from it builds the same."""
    return SOURCES / "images" / "packages"


def renew(engine: Engine, progress: Callable[[str], None], images: Sequence[Image]) -> None:
    """Build `images` with the packages that Debian has now; from then on every image has those, or newer ones.

    Raises:
        MailpodError: they could not be built, or that cannot be noted. Everything is as it was.
    """
    file, time = _packages_file(), f"{now():%Y%m%d-%H%M}"
    if not os.access(file.parent, os.W_OK):
        raise MailpodError(f"{file} cannot be written", "run it as who owns that folder")
    try:
        ensure_images(engine, progress, images, time)
    except BaseException:
        for image in (*images, *(image.base for image in images if image.base)):
            engine.remove_image(image.tag_of(time))
        raise
    file.write_text(f"{time}\n")


def ensure_images(
    engine: Engine, progress: Callable[[str], None], images: Iterable[Image], time: str | None = None
) -> None:
    """Build those of `images` that are missing, and first what they stand on.

    Args:
        time: of their packages, if it is not `packages()`.
    """
    wanted = packages() if time is None else time
    for image in images:
        if not engine.has_image(image.tag_of(wanted)):
            with lock(image.repository.replace("/", "-"), _BUILD_SECONDS):
                _build(engine, progress, image, wanted)


def _build(engine: Engine, progress: Callable[[str], None], image: Image, time: str) -> None:
    tag = image.tag_of(time)
    # Another process may have built it while this one waited.
    if engine.has_image(tag):
        return
    if image.base:
        ensure_images(engine, progress, [image.base], time)
        # It is built anew because that one was.
        arguments = {"BASE": image.base.tag_of(time)}
    else:
        ensure_base_image(engine, _DEBIAN, progress)
        arguments = {"BASE": _DEBIAN, "PACKAGES": time}
    progress(f"building {tag} (some minutes, once)")
    with image.whole_context() as context:
        engine.build_image(context, tag, image.target, arguments, _ignore)


def _ignore(_line: str) -> None:
    pass
