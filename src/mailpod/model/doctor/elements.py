"""What main or an account tells of itself: a line each, as the verb `examine` prints them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailpod.model.archive import File
from mailpod.model.doctor.finding import Finding

_SHOWN = 3


@dataclass(frozen=True)
class Disk:
    """What a file system has: bytes and inodes, free and in all; no inodes in all where it does not count them."""

    free: int
    size: int
    free_inodes: int
    inodes: int


@dataclass(frozen=True)
class Examination:
    """What an element tells.

    Attributes:
        clock: its time, in seconds since 1970.
        disk: that of its volume.
        sums: SHA-256 of the files it has from the control plane, by path.
        strangers: paths of what is another user's than it must be; some of them.
    """

    clock: int
    disk: Disk
    sums: dict[str, str]
    strangers: tuple[str, ...]

    @classmethod
    def read(cls, said: bytes) -> "Examination":
        """From what `examine` printed; raises `ValueError` when it is something else."""
        clock, disk = 0, Disk(0, 0, 0, 0)
        sums: dict[str, str] = {}
        strangers: list[str] = []
        for line in said.decode(errors="replace").splitlines():
            word, _, rest = line.partition(" ")
            match word:
                case "clock":
                    clock = int(rest)
                case "disk":
                    disk = Disk(*(int(number) if number.isdecimal() else 0 for number in rest.split()))
                case "sum":
                    digest, _, path = rest.partition("  ")
                    sums[path.replace("//", "/")] = digest
                case "stranger":
                    strangers.append(rest)
        return cls(clock, disk, sums, tuple(strangers))


def of_files(element: str, where: str, wanted: Iterable[File], there: Examination) -> Iterator[Finding]:
    """What an element has otherwise than the control plane would give it."""
    differing = [one.path for one in wanted if there.sums.get(one.path) != hashlib.sha256(one.content).hexdigest()]
    if differing:
        what = f"{element} has other files than it should: {_some(differing)}"
        yield Finding("error", what, where, "mailpod apply", "apply")


def of_owners(element: str, volume: str, identity: str, there: Examination) -> Iterator[Finding]:
    """Files that an element's servers cannot use because they are somebody else's.

    Args:
        identity: the account's id; empty for main, whose files are in its own hands.
    """
    if there.strangers:
        what = f"{element} has files of a wrong owner: {_some(there.strangers)}"
        if identity:
            yield Finding("error", what, volume, "mailpod doctor --fix", "owners", identity)
        else:
            yield Finding("error", what, volume, "docker exec into main, and give them to postfix with chown(1)")


def _some(paths: Iterable[str]) -> str:
    several = list(paths)
    rest = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    return ", ".join(several[:_SHOWN]) + rest
