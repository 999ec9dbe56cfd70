"""Disks that are full, or soon will be."""

from collections.abc import Iterator

from mailpod.model.doctor.elements import Disk
from mailpod.model.doctor.finding import Finding, Severity
from mailpod.model.records import MIB

# Postfix takes nothing any more below 1.5 times the largest message it takes (postconf(5), queue_minfree).
_LEAST, _LITTLE = 256 * MIB, 10 * 1024 * MIB
_LEAST_PART, _LITTLE_PART = 0.02, 0.1
_FEW_INODES = 0.05


def of_disk(what: str, where: str, disk: Disk) -> Iterator[Finding]:
    """Judge how full a file system is: in bytes, of which a small part may still be many, and in inodes.

    Args:
        what: whose it is, such as `the engine's disk`.
    """
    if disk.size:
        part = disk.free / disk.size
        severity: Severity | None = None
        if disk.free < min(_LEAST, disk.size / 10) or part < _LEAST_PART:
            severity = "error"
        elif part < _LITTLE_PART and disk.free < _LITTLE:
            severity = "warning"
        if severity:
            told = f"{what} has {disk.free // MIB} MiB left of {disk.size // MIB}"
            yield Finding(severity, told, where, "make room there: mail that finds none is put off")
    if disk.inodes and disk.free_inodes / disk.inodes < _FEW_INODES:
        told = f"{what} has room for {disk.free_inodes} files more, of {disk.inodes}"
        yield Finding("warning", told, where, "remove files there, or make its file system anew with more inodes")
