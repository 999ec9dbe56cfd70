"""Backups: where they go, how often, for how long they stay, and which ones there are."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from mailpod.model.errors import InvalidInput, NotFound

SYSTEM = "system"
"""The element whose backups are the state folder's; every other one is an account's id."""
STATE_FILE = "state.tar"
"""What the state folder is called in them."""
KEEPSAKES = "main.tar"
"""What in there main alone has had: a tar of its own, to be laid on main's volume."""
ZONE_KEYS = "dns.tar"
"""Likewise, for the volume of the system's own name server: what the zone is signed with."""

_SFTP = re.compile(r"sftp:(?:(?P<user>[^@:/]+)@)?(?P<host>[^@:/]+):(?P<path>.+)")
_ID = re.compile(r"[0-9a-f]{8,64}")
_HINT = "give a folder (/PATH), sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET"


@dataclass(frozen=True)
class Repository:
    """Where backups go, as restic(1) spells it.

    Attributes:
        path: a folder of this machine's, or on the host; with S3, the bucket and perhaps a folder.
        host, port: of the SFTP server; with S3, `host` is the URL of the service.
    """

    kind: Literal["folder", "sftp", "s3"]
    path: str
    host: str = ""
    port: int = 22
    user: str = ""

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """Read what was typed; raises `InvalidInput` when it names no repository."""
        if not text.isprintable() or '"' in text:
            raise InvalidInput(f"{text!r} is no repository", _HINT)
        if text.startswith("/"):
            return cls("folder", text.rstrip("/") or "/")
        if text.startswith("s3:"):
            return cls._s3(text)
        if text.startswith("sftp://"):
            return cls._sftp_url(text)
        found = _SFTP.fullmatch(text)
        if not found:
            raise InvalidInput(f"{text!r} is no repository", _HINT)
        return cls("sftp", found["path"].rstrip("/"), found["host"], user=found["user"] or "root")

    @classmethod
    def _sftp_url(cls, text: str) -> "Repository":
        try:
            url = urlsplit(text)
            port = url.port or 22
        except ValueError as error:
            raise InvalidInput(f"{text!r} is no repository: {error}", _HINT) from None
        # sftp://host//path is absolute, sftp://host/path below the home, as restic has it.
        path = url.path[1:].rstrip("/")
        if not url.hostname or not path:
            raise InvalidInput(f"{text!r} is no repository", _HINT)
        return cls("sftp", path, url.hostname, port, url.username or "root")

    @classmethod
    def _s3(cls, text: str) -> "Repository":
        rest = text.removeprefix("s3:")
        url = urlsplit(rest if "://" in rest else f"https://{rest}")
        path = url.path.strip("/")
        if not url.hostname or not path or url.scheme not in {"http", "https"}:
            raise InvalidInput(f"{text!r} is no repository", _HINT)
        return cls("s3", path, f"{url.scheme}://{url.netloc}")

    def of(self, element: str) -> str:
        """Where the backups of one element lie, as rclone knows it."""
        folder = "/repository" if self.kind == "folder" else self.path
        return f"depot:{folder}/{element}"


class BackupPlan(BaseModel):
    """What `backup to` was told, and the keys; as secret as these.

    Attributes:
        key: what all passwords of the repositories are made of; without it there is no restoring.
        repository: where backups go; empty until one has been reached.
        every: hours from one to the next.
        keep_daily, keep_weekly, keep_monthly: of how many days, weeks and months the last one stays.
        ssh_private, ssh_public: the key for an SFTP server; empty when none was needed.
        host_keys: lines of known_hosts, the SFTP server's.
        s3_id, s3_secret: the keys for S3.
        s3_region: where the bucket is, for a service that wants requests signed for that; empty for others.
        former: where they went before, as far as nobody has said that nothing is left there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    repository: str = ""
    every: int = Field(default=24, ge=1, le=24 * 31)
    keep_daily: int = Field(default=14, ge=1)
    keep_weekly: int = Field(default=8, ge=0)
    keep_monthly: int = Field(default=12, ge=0)
    ssh_private: str = ""
    ssh_public: str = ""
    host_keys: str = ""
    s3_id: str = ""
    s3_secret: str = ""
    s3_region: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    former: tuple[str, ...] = ()

    def password(self, element: str) -> str:
        """What the backups of one element are encrypted with: who has it has not the others'."""
        return hmac.digest(self.key.encode(), element.encode(), hashlib.sha256).hex()

    def rclone(self) -> str:
        """A configuration for the program rclone, in which the repository is called `depot`."""
        where = Repository.parse(self.repository)
        match where.kind:
            case "folder":
                lines = {"type": "local"}
            case "sftp":
                lines = {
                    "type": "sftp",
                    "host": where.host,
                    "port": str(where.port),
                    "user": where.user,
                    "key_file": "/run/mailpod/ssh_key",
                    "known_hosts_file": "/run/mailpod/known_hosts",
                    # Nothing is run there.
                    "disable_hashcheck": "true",
                    "shell_type": "none",
                }
            case "s3":
                lines = {
                    "type": "s3",
                    "provider": "Other",
                    "endpoint": where.host,
                    "access_key_id": self.s3_id,
                    "secret_access_key": self.s3_secret,
                    **({"region": self.s3_region} if self.s3_region else {}),
                }
        return "[depot]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())

    def stays(self) -> timedelta:
        """For how long a backup is kept that none follows."""
        daily, weekly = timedelta(days=self.keep_daily), timedelta(weeks=self.keep_weekly)
        return max(daily, weekly, timedelta(days=31 * self.keep_monthly))

    def late_after(self) -> timedelta:
        """How old the last good backup may be."""
        return timedelta(hours=2 * self.every)


class Backed(BaseModel):
    """How the last backup of one element went.

    Attributes:
        repository: where it went, as the plan said then.
        taken: when the last good one was taken; None when there is none.
        snapshot: its id.
        size: bytes in it. `added`: bytes that it added to the repository.
        checked: when the repository was found whole last.
        checks: how often that was.
        damage: what was not whole then; empty when all was.
        problem, hint: why there is no newer one; empty when nothing was wrong.
        until: when the backups of an account that was destroyed are destroyed too; None while there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = ""
    taken: datetime | None = None
    snapshot: str = ""
    size: int = 0
    added: int = 0
    checked: datetime | None = None
    checks: int = 0
    damage: str = ""
    problem: str = ""
    hint: str = ""
    until: datetime | None = None

    def at(self, repository: str) -> "Backed":
        """This, as far as it is about a repository: nothing when it went to another one."""
        return self if self.repository == repository else Backed()


@dataclass(frozen=True)
class Snapshot:
    """One backup of one element.

    Attributes:
        size: bytes in it.
    """

    id: str
    time: datetime
    size: int

    @classmethod
    def parse(cls, said: dict[str, Any]) -> "Snapshot":
        """From what `restic snapshots --json` says of it."""
        # Python reads six digits of a second, restic writes nine.
        time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", said["time"]))
        return cls(said["id"], time, said.get("summary", {}).get("total_bytes_processed", 0))


def chosen(snapshots: Iterable[Snapshot], at: str) -> Snapshot:
    """The snapshot that somebody means.

    Args:
        at: its id, or the beginning of it; or a time, for the last one until then; empty for the last of all.

    Raises:
        InvalidInput: that is neither.
        NotFound: there is none such.
    """
    known = sorted(snapshots, key=lambda one: one.time)
    moment = _moment(at)
    if moment is None and at and not _ID.fullmatch(at):
        raise InvalidInput(f"{at!r} is neither a time nor a snapshot", "say 2026-11-28, 2026-11-28T10:00 or an id")
    if moment:
        known = [one for one in known if one.time <= moment]
    elif at:
        known = [one for one in known if one.id.startswith(at)]
    if not known:
        raise NotFound(f"there is no backup {f'of {at}' if at else 'yet'}", "see: mailpod backup list")
    return known[-1]


def _moment(text: str) -> datetime | None:
    """The time that was typed, in this machine's zone when it names none; of a day alone, its end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        moment += timedelta(days=1)
    # `20261128` might be an id too; an id that is a time besides is longer.
    return None if _ID.fullmatch(text) else moment.astimezone()
