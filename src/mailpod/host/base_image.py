"""The base image: pulled where a registry answers, else made from Debian's packages."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mailpod.host.apt import last_error
from mailpod.host.engine import ensure_commands
from mailpod.host.facts import environment
from mailpod.host.locks import lock
from mailpod.model.errors import MailpodError

SUITE = "trixie"
REFERENCE = f"debian:{SUITE}-slim"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_BOOTSTRAP_SECONDS = 900
_ROOM = 800 * 1024 * 1024

# What the image in the registry leaves out too. The rules stay in the image, for later packages.
_LEFT_OUT = ("doc", "groff", "info", "linda", "lintian", "locale", "man")


class Images(Protocol):
    """What is needed of an engine."""

    def has_image(self, tag: str) -> bool:
        """Whether an image of this name is there."""

    def pull_image(self, reference: str) -> bool:
        """Fetch an image from a registry; False when none answers or it stalls."""

    def import_image(self, archive: Path, tag: str) -> None:
        """Make an image of one layer from the tar of a root file system."""

    def tag_image(self, reference: str, tag: str) -> None:
        """Give an image another name."""


def ensure_base_image(images: Images, tag: str, console: Callable[[str], None]) -> None:
    """Make sure Debian's base image is there under the name `tag`.

    Raises:
        EngineUnreachable: mmdebstrap is needed and cannot be installed here; the hint is what to run.
        MailpodError: there is no room, or the bootstrap failed.
    """
    if images.has_image(tag):
        return
    with lock("base-image", _BOOTSTRAP_SECONDS):
        if images.has_image(tag):
            return
        console(f"pulling {REFERENCE}")
        if images.has_image(REFERENCE) or images.pull_image(REFERENCE):
            images.tag_image(REFERENCE, tag)
            return
        console("no registry answers: making the base image from Debian's packages")
        ensure_commands(console, bootstrap_needs(KEYRING.exists()))
        with tempfile.TemporaryDirectory(prefix="mailpod-base-", dir=_work_folder()) as folder:
            archive = Path(folder) / "root.tar"
            _bootstrap(archive)
            images.import_image(archive, tag)


def bootstrap_needs(keyring: bool) -> list[str]:
    """What the bootstrap needs installed. Off Debian the archive's keys are a package of their own."""
    return ["mmdebstrap"] if keyring else ["mmdebstrap", "debian-archive-keyring"]


def bootstrap_command(archive: Path) -> list[str]:
    """The command line that makes the root file system's tar."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--keyring={KEYRING}",
        '--aptopt=Acquire::Languages "none"',
        *excluded,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        SUITE,
        str(archive),
    ]


def _work_folder() -> str:
    """A folder with room on a real disk: /tmp is in memory on Debian 13."""
    folder = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 # TemporaryDirectory makes its own below
    free = shutil.disk_usage(folder).free
    if free < _ROOM:
        raise MailpodError(
            f"making the base image needs {_ROOM >> 20} MiB in {folder}, {free >> 20} MiB are free",
            "make room, or set TMPDIR to a folder that has it",
        )
    return folder


def _bootstrap(archive: Path) -> None:
    """Run mmdebstrap; it gets time to clean up after itself before it is killed."""
    with (
        tempfile.TemporaryFile(dir=archive.parent) as output,
        subprocess.Popen(
            bootstrap_command(archive),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**environment(), "TMPDIR": str(archive.parent)},
        ) as process,
    ):
        try:
            code = process.wait(_BOOTSTRAP_SECONDS)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise MailpodError(
                    f"mmdebstrap was not done after {_BOOTSTRAP_SECONDS // 60} minutes", "try again"
                ) from None
            raise
        if code != 0:
            output.seek(0)
            reason = last_error(output.read().decode(errors="replace"))
            raise MailpodError(
                f"mmdebstrap could not make the base image: {reason}",
                "see that Debian's mirror can be reached",
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
