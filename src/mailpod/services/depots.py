"""The repositories that backups go to: one for each account, and one for the state folder.

Each has a password of its own, made of the system's one key, so that a machine of a Swarm which makes the backup of an
account learns nothing with which it could read another's. `secrets/backup.toml` has the key, and how to get there.
"""

import json
import secrets
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from mailpod.model.archive import File
from mailpod.model.backup import SYSTEM, Backed, BackupPlan, Repository, Snapshot
from mailpod.model.depot import BESIDE, LOCKED, MISSING, Depot, DepotError
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import Account, now
from mailpod.services import copies
from mailpod.services.context import Context
from mailpod.services.images import BACKUP, ensure_images

_SCAN_SECONDS = 20


def plan(context: Context) -> BackupPlan:
    """What `backup to` was told; raises `NotFound` when it was told nothing yet."""
    found = context.store.backup_plan()
    if found is None or not found.repository:
        raise NotFound("no backup is set up", "say where it goes: mailpod backup to REPOSITORY")
    return found


def new_plan() -> BackupPlan:
    """One with a new key."""
    return BackupPlan(key=secrets.token_urlsafe(32))


def of(context: Context, element: str, given: BackupPlan | None = None) -> Depot:
    """The repository of one element, by the plan that is given or else the system's."""
    there = given or plan(context)
    where = Repository.parse(there.repository)
    ensure_images(context.engine, context.progress, [BACKUP])
    return Depot(
        element=element,
        instance=context.instance,
        image=BACKUP.tag,
        path=where.of(element),
        folder=where.path if where.kind == "folder" else "",
        password=there.password(element),
        ways=(
            File("rclone.conf", there.rclone().encode(), 0o600),
            File("ssh_key", there.ssh_private.encode(), 0o600),
            File("known_hosts", there.host_keys.encode(), 0o600),
        ),
    )


def stream(context: Context, depot: Depot, *words: str, given: Iterable[bytes] = ()) -> Iterator[bytes]:
    """Run a verb beside a repository; what it writes, in pieces. Raises `DepotError`."""
    with context.store.lock(BESIDE, shared=True):
        yield from context.engine.at_depot(depot, words, given)


def run(context: Context, depot: Depot, *words: str, given: Iterable[bytes] = ()) -> bytes:
    """Like `stream`, all of it at once."""
    return b"".join(stream(context, depot, *words, given=given))


def snapshots(context: Context, depot: Depot) -> list[Snapshot]:
    """The backups that are in a repository, the oldest first.

    Raises:
        DepotError: there is no repository, it cannot be reached, or its key is another.
    """
    said = json.loads(run(context, depot, "snapshots"))
    return sorted((Snapshot.parse(one) for one in said), key=lambda one: one.time)


def written(context: Context, depot: Depot, *words: str, given: Iterable[bytes] = ()) -> bytes:
    """Run a verb that writes, where nobody else writes meanwhile; a lock is of somebody who was killed.

    Raises:
        DepotError: it failed.
    """
    pieces = list(given)
    try:
        return run(context, depot, *words, given=pieces)
    except DepotError as problem:
        amend(context, depot, problem)
        return run(context, depot, *words, given=pieces)


def make(context: Context, there: BackupPlan) -> None:
    """Make the repository of the state folder where it is not there; what was on record of such a place is gone.

    Raises:
        DepotError: the place cannot be reached, or what is there has another key.
    """
    depot = of(context, SYSTEM, there)
    try:
        run(context, depot, "snapshots")
    except DepotError as problem:
        if problem.code != MISSING:
            raise
        _forget_records(context, {there.repository})
        run(context, depot, "init")


def amend(context: Context, depot: Depot, problem: DepotError) -> None:
    """Do away with what kept somebody from writing, if that can be: no repository yet, or a lock of one who was killed.

    Raises:
        DepotError: it cannot be: what was given, or nothing at all of this system is there, as where a disk is not
            mounted; a repository would be made beside it.
    """
    if problem.code == MISSING:
        _require_place(context, depot)
        run(context, depot, "init")
    elif problem.code == LOCKED:
        run(context, depot, "unlock")
    else:
        raise problem


def _require_place(context: Context, depot: Depot) -> None:
    try:
        if depot.element != SYSTEM:
            run(context, of(context, SYSTEM), "snapshots")
            return
    except DepotError as problem:
        if problem.code != MISSING:
            raise
    where = plan(context).repository
    look = "see that its disk is mounted" if depot.folder else "look what became of them"
    hint = f"{look}; to begin anew there: mailpod backup to {where}"
    raise DepotError(f"no backups of this system are in {where} any more", hint, MISSING)


def former(context: Context, before: BackupPlan, where: Repository) -> tuple[str, ...]:
    """Where backups were made before they go to `where`, in the order of their names.

    Args:
        before: the plan until now; what it does not tell, as it was removed by hand, the records do.
    """
    records = context.store.all_backed().values()
    known = {*before.former, before.repository, *(one.repository for one in records)} - {""}
    return tuple(sorted(one for one in known if Repository.parse(one) != where))


def forget_former(context: Context, repository: str) -> None:
    """Strike a place where backups were made before, because nothing is left of them there.

    Raises:
        NotFound: none were made there, or they are made there now.
    """
    there = plan(context)
    gone = {one for one in there.former if Repository.parse(one) == Repository.parse(repository)}
    if not gone:
        raise NotFound(f"no backups were made in {repository} before", "see: mailpod backup former")
    _forget_records(context, gone)
    context.store.save_backup_plan(there.model_copy(update={"former": tuple(sorted({*there.former} - gone))}))


def _forget_records(context: Context, places: set[str]) -> None:
    for element, known in context.store.all_backed().items():
        if known.repository in places:
            context.store.forget_backed(element)


def note(context: Context, there: BackupPlan, element: str, **changes: object) -> Backed:
    """Write down how it went with the backups of one element, whatever else of it is written down meanwhile.

    Args:
        there: the plan by which it was done.
        changes: what of the record is another now, by name.
    """
    with context.store.lock():
        before = context.store.backed(element).at(there.repository)
        after = before.model_copy(update={"repository": there.repository, **changes})
        context.store.save_backed(element, after)
    return after


def destroy(context: Context, account: Account) -> None:
    """Destroy every backup of an account and what was begun of one, or, if asked, have them stay for their time.

    Raises:
        MailpodError: the repository cannot be reached.
    """
    known, there = context.store.backed(account.id), context.store.backup_plan()
    if known == Backed():
        return
    with copies.alone(context, account):
        if there is None or not there.repository:
            # Without a plan there is no key either.
            context.store.forget_backed(account.id)
        elif not account.keep_backups:
            destroy_all(context, account.id)
        elif known.until is None:
            context.store.save_backed(account.id, known.model_copy(update={"until": now() + there.stays()}))


def destroy_all(context: Context, element: str) -> None:
    """Destroy every backup of one element, where nobody else works on them.

    Raises:
        MailpodError: the repository cannot be reached.
    """
    run(context, of(context, element), "purge")
    context.store.forget_backed(element)


def host_keys(where: Repository) -> str:
    """What an SFTP server says its host keys are, as known_hosts has them.

    Raises:
        InvalidInput: no such server answers.
    """
    command = ["ssh-keyscan", "-T", "10", "-p", str(where.port), where.host]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SCAN_SECONDS, check=False)
    except FileNotFoundError as error:
        raise MailpodError("the command ssh-keyscan is missing", "run: apt-get install openssh-client") from error
    except subprocess.TimeoutExpired:
        done = None
    lines = [] if done is None else [line for line in done.stdout.splitlines() if not line.startswith("#")]
    if not lines:
        raise InvalidInput(f"no SSH server answers at {where.host} port {where.port}", "see that it runs")
    return "".join(f"{line}\n" for line in lines)


def make_folder(context: Context, where: Repository) -> None:
    """Make the folder that backups go to, for its owner alone.

    Raises:
        InvalidInput: it cannot be made, or it would lie in the state folder.
    """
    path = Path(where.path)
    if path.resolve().is_relative_to(context.store.folder.resolve()):
        raise InvalidInput(f"{path} is in the state folder", "give a folder on another disk")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot make {path}: {error.strerror}", "give a folder whose parent is there") from error
