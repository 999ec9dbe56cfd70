"""Bringing a whole system back on a machine that has nothing of it: keys, desired state, every account.

All that takes long, or can fail, comes first, on volumes that no record names. The state folder is written in the end,
the record of the system last: before that there is no system here, after it `apply` can finish what is left.
"""

import contextlib
import io
import tarfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mailpod.model import layout, names
from mailpod.model.backup import (
    KEEPSAKES,
    STATE_FILE,
    SYSTEM,
    ZONE_KEYS,
    Backed,
    BackupPlan,
    Repository,
    Snapshot,
    chosen,
)
from mailpod.model.depot import MISSING, Depot, DepotError
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.networks import unique_local_prefix
from mailpod.model.records import MIB, Account, MainImages, System
from mailpod.model.spec import LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, WorkloadSpec
from mailpod.services import depots, images, installation, zone_keys
from mailpod.services.carrying import SPARE
from mailpod.services.context import Context
from mailpod.services.restoring import tree
from mailpod.store import write_durably

_MARK = "restoring"
Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Saved:
    """A state folder as a backup has it: content by path."""

    files: dict[str, bytes]

    def record(self, path: str, kind: type[Record]) -> Record:
        """One record; raises `MailpodError` when it cannot be read."""
        try:
            return kind.model_validate(tomllib.loads(self.files[path].decode()))
        except (KeyError, ValueError, ValidationError) as error:
            raise MailpodError(
                f"the backup of the state folder has no good {path}", "try an older one: --at"
            ) from error

    def accounts(self, folder: str) -> list[Account]:
        """The accounts in a folder of records."""
        paths = [path for path in self.files if path.startswith(f"{folder}/")]
        return [self.record(path, Account) for path in sorted(paths)]


def restore_system(
    context: Context, given: BackupPlan, at: str, adjust: Callable[[System], System]
) -> tuple[System, list[str]]:
    """Bring everything back that a repository has of a system, and start it.

    Args:
        given: the repository, its key, and how to get there.
        at: which backup; see `mailpod.model.backup.chosen`.
        adjust: gives the installation what is another here than it was there.

    Returns:
        The system, and the names of accounts that no backup was ever made of, which come back empty.

    Raises:
        AlreadyExists: there is a system here, or the engine has something of this instance.
        NotFound: there is no such repository or backup.
        DepotError: it cannot be reached, is damaged, or its key is another.
        MailpodError: there is no room, or it could not be started; then `apply` does.
    """
    _require_nothing(context)
    where = Repository.parse(given.repository)
    if where.kind == "sftp":
        given = given.model_copy(update={"host_keys": depots.host_keys(where)})
    with context.store.lock("system"):
        _require_nothing(context)
        context.progress(f"reading {given.repository}")
        saved = _saved(context, given, at)
        system = adjust(_as_here(context, saved.record("system.toml", System)))
        live, kept = (_fresh(saved.accounts(folder)) for folder in ("accounts", "deleted"))
        found = _backups(context, given, saved, [*live, *kept], at)
        kept = [account for account in kept if account.id in found]
        needed = [images.ACCOUNT[stack] for stack in sorted({account.stack for account in live})]
        if system.dns == "built-in":
            needed.append(images.DNS)
        images.ensure_images(context.engine, context.progress, needed)
        _require_room(context, system, live, found)
        write_durably(context.store.folder / _MARK, given.repository.encode(), 0o600)
        _clear(context)
        _fill(context, system, saved, [*live, *kept], found)
        _write(context, given, saved, system, live, kept)
    context.look_again()
    installation.up(context, system)
    return system, [account.name for account in live if account.id not in found]


def _require_nothing(context: Context) -> None:
    if context.store.find_system():
        raise AlreadyExists(
            f"{context.store.folder} has a system already",
            "give an empty folder: --state DIR, or: mailpod down --purge",
        )
    if not (context.store.folder / _MARK).exists():
        installation.check_unclaimed(context)


def _saved(context: Context, given: BackupPlan, at: str) -> Saved:
    depot = depots.of(context, SYSTEM, given)
    snapshot = chosen(depots.snapshots(context, depot), at)
    depots.run(context, depot, "check")
    content = depots.run(context, depot, "dump", snapshot.id, f"/{STATE_FILE}")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        return Saved({name: file.read() for name, file in files.items() if file})


def _as_here(context: Context, system: System) -> System:
    """The system on one machine, where names, networks and ways to other machines are not what they were."""
    if not names.is_label(context.instance):
        raise InvalidInput(f"{context.instance!r} cannot be an instance's name", "use letters, digits and hyphens")
    here: dict[str, object] = {
        "instance": context.instance,
        "engine": "docker",
        "networks": (),
        "prefixes": {},
        "drained": (),
    }
    here |= {"images": MainImages(), "images_before": MainImages()}
    taken = {subnet for network in context.engine.networks() for subnet in network.subnets}
    if any(subnet.startswith(system.ipv6_subnet.partition("::")[0]) for subnet in taken) and not system.ipv6_routed:
        here["ipv6_subnet"] = unique_local_prefix()
    return system.model_copy(update={**here, "encrypted": False})


def _fresh(accounts: list[Account]) -> list[Account]:
    """The accounts without what the old engine had of them; those whose destruction had begun are gone."""
    elsewhere = {"node": "", "copies": (), "kept": (), "volume": "", "restoring": "", "replaced": ""} | {
        "image": "",
        "image_before": "",
    }
    return [account.model_copy(update=elsewhere) for account in accounts if not account.purge]


def _backups(
    context: Context, given: BackupPlan, saved: Saved, accounts: list[Account], at: str
) -> dict[str, tuple[Depot, Snapshot]]:
    """By account id, the repository and the backup, all of them found whole."""
    found = {}
    for account in accounts:
        context.progress(f"checking the backups of {account.name}")
        depot = depots.of(context, account.id, given)
        try:
            snapshot = chosen(depots.snapshots(context, depot), at)
            depots.run(context, depot, "check")
        except (DepotError, NotFound) as problem:
            gone = isinstance(problem, NotFound) or problem.code == MISSING
            if gone and (account.deleted or not _had_one(saved, account)):
                continue
            raise
        found[account.id] = depot, snapshot
    return found


def _had_one(saved: Saved, account: Account) -> bool:
    path = f"backups/{account.id}.toml"
    return path in saved.files and saved.record(path, Backed).taken is not None


def _require_room(
    context: Context, system: System, live: list[Account], found: dict[str, tuple[Depot, Snapshot]]
) -> None:
    if not live:
        return
    needed = sum(snapshot.size for _, snapshot in found.values())
    free = context.engine.room(_spec(system, live[0]))
    if needed + SPARE > free:
        raise MailpodError(f"the disk has {free // MIB} MiB free, the backups take {needed // MIB}", "make room first")


def _spec(system: System, account: Account) -> WorkloadSpec:
    placed = system.model_copy(update={"networks": ("10.0.0.0/24",)})
    return layout.account_spec(placed, account.model_copy(update={"network": 0}), images.ACCOUNT[account.stack].tag)


def _clear(context: Context) -> None:
    """Remove what one that was killed has left."""
    for account in context.engine.helpers(context.instance):
        context.engine.remove_helpers(context.instance, account)
    context.engine.remove_volumes(context.instance)


def _fill(
    context: Context,
    system: System,
    saved: Saved,
    accounts: list[Account],
    found: dict[str, tuple[Depot, Snapshot]],
) -> None:
    try:
        for account in accounts:
            if account.id in found:
                depot, snapshot = found[account.id]
                context.progress(f"restoring {account.name} as of {snapshot.time.astimezone():%Y-%m-%d %H:%M:%S}")
                context.engine.unpack_volume(_spec(system, account), tree(context, depot, snapshot))
        if saved.files.get(KEEPSAKES) and accounts:
            labels = {LABEL_INSTANCE: context.instance, LABEL_ROLE: "main", LABEL_ID: "main"}
            volume = layout.main_container(context.instance)
            spec = replace(_spec(system, accounts[0]), volume=volume, labels=labels, disk=0)
            context.engine.unpack_volume(spec, [saved.files[KEEPSAKES]])
        if saved.files.get(ZONE_KEYS) and system.dns == "built-in":
            # Before the name server starts: without keys it makes others, which the parent zone does not vouch for.
            zone_keys.restore(context, system, saved.files[ZONE_KEYS])
        elif system.dns == "built-in":
            context.progress("no keys of the zone are in the backup: give the registrar the DS of mailpod dns show")
    except BaseException:
        context.progress("undoing")
        with contextlib.suppress(MailpodError):
            _clear(context)
            (context.store.folder / _MARK).unlink()
        raise


def _write(
    context: Context, given: BackupPlan, saved: Saved, system: System, live: list[Account], kept: list[Account]
) -> None:
    """Write the state folder, the record of the system last."""
    context.progress("writing keys and the desired state")
    store = context.store
    with store.lock():
        for path, content in saved.files.items():
            if path not in {"system.toml", KEEPSAKES, ZONE_KEYS} and not path.startswith(
                ("accounts/", "deleted/", "nodes/")
            ):
                write_durably(store.folder / path, content, 0o600)
        for account in live:
            store.save_account(account)
        for account in kept:
            store.save_deleted(account)
        before = store.backup_plan() or given
        ways = given.model_dump(exclude={"every", "keep_daily", "keep_weekly", "keep_monthly", "former"})
        store.save_backup_plan(before.model_copy(update=ways))
        # It may be called otherwise from here.
        for element, backed in store.all_backed().items():
            if backed.repository == before.repository:
                store.save_backed(element, backed.model_copy(update={"repository": given.repository}))
        store.save_system(system)
    (store.folder / _MARK).unlink()
