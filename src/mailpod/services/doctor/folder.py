"""The state folder, and what is made of it for Compose."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from mailpod.model.doctor import clock, disks, folder
from mailpod.model.doctor.elements import Disk
from mailpod.model.doctor.finding import Finding
from mailpod.model.records import now
from mailpod.services import installation
from mailpod.services.context import Context


def rights(context: Context) -> list[Finding]:
    """Files that others may read or write."""
    root = context.store.folder
    owner = root.stat().st_uid
    found = (folder.of_entry(str(root), entry) for entry in _entries(root, owner))
    return [one for one in found if one]


def _entries(root: Path, owner: int) -> Iterator[folder.Entry]:
    for where, folders, files in os.walk(root):
        for name in ("", *folders, *files) if Path(where) == root else (*folders, *files):
            path = Path(where) / name
            try:
                seen = path.lstat()
            except FileNotFoundError:  # replaced meanwhile
                continue
            if not stat.S_ISLNK(seen.st_mode):
                relative = "" if path == root else str(path.relative_to(root))
                yield folder.Entry(
                    relative, stat.S_ISDIR(seen.st_mode), stat.S_IMODE(seen.st_mode), seen.st_uid == owner
                )


def mend(path: Path, root: Path) -> None:
    """Give a file or folder back to the owner of the state folder, and take from others the right to it."""
    seen, owner = path.lstat(), root.stat()
    if seen.st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    entry = folder.Entry("", stat.S_ISDIR(seen.st_mode), stat.S_IMODE(seen.st_mode), owned=True)
    path.chmod(folder.right_mode(entry))


def compose(context: Context) -> list[Finding]:
    """Files for Compose that are not as `up` would write them."""
    if not context.system.running:
        return []
    return [
        Finding("warning", "is not what the system would be deployed by", str(path), "mailpod apply", "apply")
        for path, text in installation.compose_texts(context).items()
        if (path.read_text() if path.exists() else "") != text
    ]


def disk(context: Context) -> list[Finding]:
    """The disk that the state folder is on."""
    seen = os.statvfs(context.store.folder)
    there = Disk(seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize, seen.f_favail, seen.f_files)
    return list(disks.of_disk("the state folder's disk", str(context.store.folder), there))


def past(context: Context) -> list[Finding]:
    """Records that are of a time to come."""
    made = {f"the record of {one.name}": one.created for one in context.store.accounts()}
    written = datetime.fromtimestamp((context.store.folder / "system.toml").stat().st_mtime, UTC)
    what, newest = max({**made, "the record of the system": written}.items(), key=lambda one: one[1])
    return list(clock.of_past(now(), newest, what, str(context.store.folder)))
