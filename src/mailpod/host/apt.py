"""Debian packages: which ones exist, and their installation."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mailpod.host.facts import environment
from mailpod.model.errors import MailpodError

LISTS = Path("/var/lib/apt/lists")
LOG = Path("/var/log/mailpod-apt.log")
_LOCK_SECONDS = 300
_INSTALL_SECONDS = 1800

_OPTIONS = ("-q", "-y", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "-o", "Dpkg::Use-Pty=0")


def update_command() -> list[str]:
    """The command line that fetches the package lists."""
    return ["apt-get", *_OPTIONS, "update"]


def install_command(packages: Iterable[str]) -> list[str]:
    """The command line that installs packages, and keeps configuration files that were changed here."""
    return [
        "apt-get", *_OPTIONS, "-o", "Dpkg::Options::=--force-confold",
        "install", "--no-install-recommends", *packages,
    ]  # fmt: skip


def by_hand(packages: Iterable[str]) -> str:
    """What a person types to install the packages."""
    return "sudo apt-get install --no-install-recommends " + " ".join(packages)


def candidates_command(packages: Iterable[str]) -> list[str]:
    """The command line that lists the versions that could be installed."""
    return ["apt-cache", "madison", *packages]


def parse_candidates(output: str) -> dict[str, str]:
    """Newest version by package, from apt-cache's table `name | version | source`, newest first."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 3 and cells[2].endswith("Packages"):
            found.setdefault(cells[0], cells[1])
    return found


def lists_missing(folder: Path = LISTS) -> bool:
    """Whether the package lists were never fetched, or removed as in a container image."""
    return not any(folder.glob("*Packages*"))


def update() -> None:
    """Fetch the package lists. One source that fails leaves the others usable, so this never raises."""
    _run(update_command())


def candidates(packages: Sequence[str]) -> Mapping[str, str]:
    """Which of the packages exist here, with the version that would be installed."""
    if lists_missing():
        update()
    return known(packages)


def known(packages: Sequence[str]) -> Mapping[str, str]:
    """Like `candidates`, by the package lists that are there: nothing is fetched, which takes rights."""
    done = subprocess.run(
        candidates_command(packages), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return parse_candidates(done.stdout)


def install(packages: Sequence[str]) -> None:
    """Install packages; lists that are missing or out of date are fetched first.

    Raises:
        MailpodError: apt failed; its last error says why.
    """
    if lists_missing():
        update()
    if _run(install_command(packages)) is None:
        return
    update()
    if (reason := _run(install_command(packages))) is not None:
        raise MailpodError(f"apt-get could not install {' '.join(packages)}: {reason}", f"see {LOG}")


def _run(command: list[str]) -> str | None:
    """Run apt with its output in the log, never in the caller's pipe. None, or why it failed."""
    with LOG.open("ab") as log:
        start = log.tell()
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                check=False,
                timeout=_INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"not done after {_INSTALL_SECONDS // 60} minutes"
    if done.returncode == 0:
        return None
    with LOG.open("rb") as log:
        log.seek(start)
        return last_error(log.read().decode(errors="replace")) or f"exit code {done.returncode}"


def last_error(output: str) -> str:
    """The most telling line that apt, or mmdebstrap, which runs it, wrote: its last error, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # mmdebstrap's own error only repeats apt's command line.
    errors = [line for line in lines if line.startswith(("E:", "dpkg: error")) and "failed to execute" not in line]
    return (errors or lines or [""])[-1]
