"""The folder of desired state: small TOML files, one a record, written so that a crash leaves the old or the new.

system.toml               the installation
accounts/NAME.toml        accounts
deleted/ID.toml           deleted accounts whose volume is kept
aliases/LOCAL_PART.toml   shared addresses
nodes/NAME.toml           machines of a Swarm
tended.toml               what `mailpod tend` did last, and what the DNS could not be told since
counts.json               how many messages `mailpod metrics` has counted
backups/ID.toml           how the last backup of an account, or of the folder itself (`system`), went
logs/NAME-ID-TIME.log     what frozen accounts had said, where their engine does not keep it
secrets/                  keys (mode 0700), see `mailpod.services.keys`
"""

import contextlib
import os
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from mailpod.flock import acquire
from mailpod.model.backup import Backed, BackupPlan
from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.names import is_label
from mailpod.model.publishing import Way
from mailpod.model.records import Account, Alias, Node, System, Tended, now

Record = TypeVar("Record", bound=BaseModel)

_OWN_FILES = ("dns/records.zone", "trust/anchors", "trust/authorities.pem")
# Longer than any command works on a system that is well.
_LOCK_SECONDS = 300.0


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file whole: temporary file, fsync, rename, fsync of the folder.

    Raises:
        MailpodError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.tmp")
    try:
        _make_folder(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise MailpodError(f"cannot write {path}: {error.strerror}", "free some space or correct the rights") from error


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each for its owner alone."""
    if folder.exists():
        return
    for missing in (*reversed(folder.parents), folder):
        if not missing.exists():
            missing.mkdir(mode=0o700, exist_ok=True)


def _remove_durably(path: Path) -> None:
    """Remove a file, if it is there, so that it does not come back after a power failure."""
    if path.exists():
        path.unlink()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Store:
    """Reads and writes the desired state in one folder.

    Args:
        folder: the state folder; made on the first write.
        progress: told when another command has to be waited for.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None] = lambda _line: None) -> None:
        self._progress = progress
        self.folder = folder
        self.secrets = folder / "secrets"

    @contextlib.contextmanager
    def lock(self, name: str = "lock", *, shared: bool = False, seconds: float | None = None) -> Iterator[None]:
        """Hold a lock of the folder, alone or with others who share it; the kernel frees it when the process ends.

        Raises:
            MailpodError: another command held it for so many seconds (minutes, when nothing is said), or the folder
                cannot be written.
        """
        patience = _LOCK_SECONDS if seconds is None else seconds
        try:
            _make_folder(self.folder)
            descriptor = os.open(self.folder / f".{name}", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise MailpodError(
                f"cannot write in the state folder {self.folder}: {error.strerror}",
                "give another with --state DIR",
            ) from error
        try:
            acquire(descriptor, self.folder, patience, shared=shared, progress=self._progress)
            yield
        finally:
            os.close(descriptor)

    def system(self) -> System:
        """The installation.

        Raises:
            NotFound: there is none yet.
        """
        found = self.find_system()
        if found is None:
            raise NotFound(f"no mail system in {self.folder}", "start one with: mailpod up DOMAIN")
        return found

    def find_system(self) -> System | None:
        """The installation, or None before the first `up`."""
        return _find(self.folder / "system.toml", System)

    def save_system(self, system: System) -> None:
        """Write the installation."""
        self._write(self.folder / "system.toml", system)

    def accounts(self) -> list[Account]:
        """Every account, by name."""
        return _read_all(self.folder / "accounts", Account)

    def account(self, name: str) -> Account:
        """The account `name`.

        Raises:
            NotFound: there is none.
        """
        found = _find(self._account_path(name), Account) if is_label(name) else None
        if found is None:
            raise NotFound(f"there is no account {name!r}", "see: mailpod account list")
        return found

    def save_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        self._write(self._account_path(account.name), account)

    def holds(self, account: Account) -> bool:
        """Whether this account, and not another one of its name, is in the desired state."""
        there = _find(self._account_path(account.name), Account)
        return there is not None and there.id == account.id

    def forget_account(self, account: Account) -> None:
        """Remove an account's record, if it is there and not another account's of the same name."""
        if self.holds(account):
            _remove_durably(self._account_path(account.name))

    def deleted(self) -> list[Account]:
        """Deleted accounts that can be brought back, the oldest first."""
        records = _read_all(self.folder / "deleted", Account)
        return sorted(records, key=lambda account: account.deleted or account.created)

    def save_deleted(self, account: Account) -> None:
        """Keep the record of a deleted account."""
        self._write(self.folder / "deleted" / f"{account.id}.toml", account)

    def forget_deleted(self, account_id: str) -> None:
        """Remove the record of a deleted account, if there is one."""
        _remove_durably(self.folder / "deleted" / f"{account_id}.toml")

    def aliases(self) -> list[Alias]:
        """Every shared address, by local part."""
        return _read_all(self.folder / "aliases", Alias)

    def alias(self, local_part: str) -> Alias:
        """The shared address `local_part`.

        Raises:
            NotFound: there is none.
        """
        found = _find(self._alias_path(local_part), Alias)
        if found is None:
            raise NotFound(f"there is no alias {local_part!r}", "see: mailpod alias list")
        return found

    def save_alias(self, alias: Alias) -> None:
        """Write a shared address."""
        self._write(self._alias_path(alias.local_part), alias)

    def forget_alias(self, local_part: str) -> None:
        """Remove a shared address.

        Raises:
            NotFound: there is none.
        """
        self.alias(local_part)
        self._alias_path(local_part).unlink()

    def nodes(self) -> list[Node]:
        """Every other machine of the Swarm that is reached over SSH, by name."""
        return _read_all(self.folder / "nodes", Node)

    def find_node(self, name: str) -> Node | None:
        """The machine `name`, or None when it has no record."""
        return _find(self._node_path(name), Node) if "/" not in name else None

    def save_node(self, node: Node) -> None:
        """Write a machine's record."""
        self._write(self._node_path(node.name), node)

    def forget_node(self, name: str) -> None:
        """Remove a machine's record, if there is one."""
        self._node_path(name).unlink(missing_ok=True)

    def keep_log(self, account: Account, said: bytes) -> None:
        """Keep what a frozen account had said, for its owner alone."""
        path = self.folder / "logs" / f"{account.name}-{account.id}-{now():%Y%m%dT%H%M%SZ}.log"
        write_durably(path, said, 0o600)

    def own_files(self) -> dict[str, str]:
        """By path, the text of the files that the operator writes by hand, as far as they are there."""
        paths = {name: self.folder / name for name in _OWN_FILES}
        return {name: path.read_text(errors="replace") for name, path in paths.items() if path.exists()}

    def tended(self) -> Tended:
        """What was tended, and when; nothing at first."""
        return _find(self.folder / "tended.toml", Tended) or Tended()

    def save_tended(self, tended: Tended) -> None:
        """Write that down."""
        self._write(self.folder / "tended.toml", tended)

    def forget_traces(self, account: Account) -> None:
        """Remove what there is of an account beside its records and keys."""
        for path in (*self.folder.glob(f"logs/*-{account.id}-*.log"), self.folder / f".move-{account.id}"):
            path.unlink(missing_ok=True)

    def traces(self, account_id: str) -> list[str]:
        """Paths below the folder of all files that have an account's id in their name, or in them."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        word = account_id.encode()
        return [
            str(path.relative_to(self.folder)) for path in files if account_id in path.name or word in path.read_bytes()
        ]

    def backup_plan(self) -> BackupPlan | None:
        """Where backups go, with the keys; None before that was said."""
        return _find(self.secrets / "backup.toml", BackupPlan)

    def save_backup_plan(self, plan: BackupPlan) -> None:
        """Write that down."""
        self._write(self.secrets / "backup.toml", plan)

    def publishing(self) -> Way | None:
        """How the zone's records get to who serves it elsewhere by themselves; None when they do not."""
        return _find(self.secrets / "dns_publishing.toml", Way)

    def save_publishing(self, way: Way) -> None:
        """Write that down."""
        self._write(self.secrets / "dns_publishing.toml", way)

    def forget_publishing(self) -> None:
        """Remove that, if it is there."""
        (self.secrets / "dns_publishing.toml").unlink(missing_ok=True)

    def backed(self, element: str) -> Backed:
        """How the last backup of an account, by its id, or of this folder went; nothing at first."""
        return _find(self.folder / "backups" / f"{element}.toml", Backed) or Backed()

    def all_backed(self) -> dict[str, Backed]:
        """All that there is of this, by element."""
        elements = sorted(path.stem for path in self.folder.glob("backups/*.toml"))
        return {element: self.backed(element) for element in elements}

    def save_backed(self, element: str, backed: Backed) -> None:
        """Write that down."""
        self._write(self.folder / "backups" / f"{element}.toml", backed)

    def forget_backed(self, element: str) -> None:
        """Remove that, if it is there."""
        (self.folder / "backups" / f"{element}.toml").unlink(missing_ok=True)

    def erase(self) -> None:
        """Remove all of the desired state and the keys; what else lies in the folder stays."""
        for name in ("accounts", "deleted", "aliases", "backups", "nodes", "logs", "secrets"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        locks = (
            ".lock",
            ".tables",
            ".converge",
            ".system",
            ".dkim",
            ".dns",
            ".tend",
            ".counts",
            ".backup",
            ".backup-system",
            ".certificates",
            ".acme",
            *(path.name for path in self.folder.glob(".move-*")),
        )
        for name in (
            "compose.env",
            "compose.override.json",
            "dns/published.zone",
            "tended.toml",
            "counts.json",
            "restoring",
            *locks,
            "system.toml",
        ):
            (self.folder / name).unlink(missing_ok=True)

    def _account_path(self, name: str) -> Path:
        return self.folder / "accounts" / f"{name}.toml"

    def _alias_path(self, local_part: str) -> Path:
        return self.folder / "aliases" / f"{local_part}.toml"

    def _node_path(self, name: str) -> Path:
        return self.folder / "nodes" / f"{name}.toml"

    def _write(self, path: Path, record: BaseModel) -> None:
        document = record.model_dump(mode="json", exclude_none=True)
        write_durably(path, tomli_w.dumps(document).encode(), 0o600)


def _find(path: Path, kind: type[Record]) -> Record | None:
    """The record in a file, or None when there is no such file."""
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    try:
        document: dict[str, Any] = tomllib.loads(text)
        return kind.model_validate(document)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> MailpodError:
    if isinstance(error, OSError):
        return MailpodError(f"cannot read {path}: {error.strerror}", "run mailpod as its owner, or correct its rights")
    reason = str(error).replace("\n", "; ")
    return MailpodError(f"cannot read {path}: {reason}", "correct the file by hand or restore it")


def _read_all(folder: Path, kind: type[Record]) -> list[Record]:
    try:
        # Not `glob`, which takes a folder that may not be read for an empty one.
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    # One that was removed after the folder was read is not there.
    return [record for path in paths if (record := _find(path, kind)) is not None]
