"""Making backups, of accounts while mail flows and of the state folder, and keeping them whole and few."""

import contextlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from mailpod.model.backup import KEEPSAKES, STATE_FILE, SYSTEM, ZONE_KEYS, Backed, BackupPlan, Repository
from mailpod.model.depot import LOCKS, Depot, DepotError
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import Account, now
from mailpod.model.spec import LABEL_ID
from mailpod.services import copies, depots, zone_keys
from mailpod.services.context import Context
from mailpod.services.keys import ssh_pair
from mailpod.services.reachable import down
from mailpod.services.reconcile import main_runs, observed_accounts
from mailpod.services.telling import Teller

# Where a running account lays out what a backup reads (images/account/base/snapshot), and where all of it is else.
_LAID_OUT, _ALL = "/data/snapshot", "/data"
# What the machine has by itself, or each for itself.
_LEFT_OUT = ("logs", "compose.env", "compose.override.json", "tended.toml")


_AGAIN = "do it again: mailpod backup"


def set_up(context: Context, repository: str, changes: dict[str, object]) -> BackupPlan:
    """Say where backups go; the repository is made, or taken over if it has this system's key.

    Args:
        changes: of the plan, by name.

    Raises:
        InvalidInput: it is no repository, or has another key.
        MailpodError: it cannot be reached; what went before holds.
    """
    context.require_system()
    where = Repository.parse(repository)
    before = context.store.backup_plan() or depots.new_plan()
    if before.repository and Repository.parse(before.repository) == where:
        # Spelt otherwise it is still the same, and what is on record of it holds.
        repository = before.repository
    changes = {"repository": repository, "former": depots.former(context, before, where), **changes}
    wanted = BackupPlan.model_validate(before.model_dump() | changes)
    if where.kind == "s3" and not wanted.s3_secret:
        raise InvalidInput("S3 needs its two keys", "give a file with one a line: --s3-keys FILE")
    if where.kind == "folder":
        depots.make_folder(context, where)
    if where.kind == "sftp":
        wanted = _with_ssh(context, before, wanted, where)
    try:
        with alone(context, SYSTEM):
            depots.make(context, wanted)
    except DepotError as problem:
        if where.kind == "folder" or problem.exit_code != 1:
            raise
        hints = {
            "sftp": f"let this key in at {where.host}, as {where.user}: {wanted.ssh_public}",
            "s3": f"see that {where.host} can be reached, and what these keys may do there",
        }
        raise MailpodError(problem.what, hints[where.kind]) from problem
    context.store.save_backup_plan(wanted)
    return wanted


def _with_ssh(context: Context, before: BackupPlan, wanted: BackupPlan, where: Repository) -> BackupPlan:
    """The plan with a key for an SFTP server, and the server's own as it is now; ours is kept, to be let in there."""
    if not wanted.ssh_private:
        private, public = ssh_pair()
        new = {"ssh_private": private, "ssh_public": f"{public} mailpod {context.instance}"}
        wanted = wanted.model_copy(update=new)
        context.store.save_backup_plan(before.model_copy(update=new))
    shown = depots.host_keys(where)
    if before.repository == wanted.repository and {*before.host_keys.split("\n")} != {*shown.split("\n")}:
        context.progress(f"{where.host} has other host keys than before; these hold from now on")
    return wanted.model_copy(update={"host_keys": shown})


def back_up(context: Context, names: tuple[str, ...] = (), *, all_by_default: bool = True) -> dict[str, Backed]:
    """Back up these accounts, or all of them, and the state folder; one that cannot be keeps no other from it.

    Args:
        all_by_default: without names, all of them are meant.

    Returns:
        By name, how it went; the state folder's is called `system`.

    Raises:
        NotFound: there is no such account, or no backup is set up.
        MailpodError: one of them could not be backed up; all others were.
    """
    context.require_system()
    plan = depots.plan(context)
    everybody = context.store.accounts() if all_by_default and not names else []
    accounts = [context.store.account(name.lower()) for name in names] or everybody
    noted = partial(_noted, context, plan)
    done = {one.name: noted(one.id, partial(_account, context, plan, one)) for one in accounts}
    # Last: the accounts in it have a backup.
    done[SYSTEM] = noted(SYSTEM, partial(_state, context, plan))
    require_all(done)
    return done


def require_all(done: dict[str, Backed]) -> None:
    """Raise `MailpodError` if one of them went wrong."""
    failed = {name: one for name, one in done.items() if one.problem}
    if failed:
        name, first = next(iter(failed.items()))
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise MailpodError(f"no backup of {name}{more}: {first.problem}", first.hint)


@contextlib.contextmanager
def alone(context: Context, element: str) -> Iterator[None]:
    """Keep every other command from writing to the repository of an element; what one has left that was killed, ends.

    Raises:
        MailpodError: another one is at it.
        NotFound: the account is gone.
    """
    if element == SYSTEM:
        with context.store.lock(LOCKS[SYSTEM]):
            context.engine.remove_helpers(context.instance, SYSTEM)
            yield
        return
    account = next((one for one in context.store.accounts() if one.id == element), None)
    if account is None:
        raise NotFound("the account is not there any more", "see: mailpod account list")
    with copies.alone(context, account):
        yield


def _noted(context: Context, plan: BackupPlan, element: str, act: Callable[[], dict[str, object]]) -> Backed:
    """Do it, alone, and write down how it went; where another command is at it, that one tells."""
    note = partial(depots.note, context, plan, element)
    try:
        with alone(context, element):
            # Of one that is killed there may be something in the repository.
            note(problem="it was cut short", hint=_AGAIN)
            try:
                return note(**act(), problem="", hint="")
            except MailpodError as problem:
                return note(problem=problem.what, hint=problem.hint)
    except MailpodError as problem:
        return Backed(problem=problem.what, hint=problem.hint)


def _account(context: Context, plan: BackupPlan, account: Account) -> dict[str, object]:
    depot = depots.of(context, account.id, plan)
    account = copies.record(context, account)
    if account.node in down(context):
        raise MailpodError(f"{account.node}, where it is, is down", "it is done once that is back")
    context.progress(f"backing up {account.name}")
    with _laid_out(context, account) as folder:
        moment = now()
        said = _saved(context, account, depot, folder)
    return _taken(said, moment)


def _saved(context: Context, account: Account, depot: Depot, folder: str) -> bytes:
    spec = copies.at(context, account, account.node)
    told = Teller(context.progress, "sent", context.engine.size(spec))
    try:
        return context.engine.back_up(spec, depot, folder, told)
    except DepotError as problem:
        depots.amend(context, depot, problem)
    return context.engine.back_up(spec, depot, folder, told)


@contextlib.contextmanager
def _laid_out(context: Context, account: Account) -> Iterator[str]:
    """The folder of the account's volume in which nothing is renamed any more."""
    runs = any(w.runs for w in observed_accounts(context) if w.labels.get(LABEL_ID) == account.id)
    if not runs:
        yield _ALL
        return
    public = context.account_identity(account).ssh_host_public
    try:
        context.channel.account(account.name, public, "take-snapshot")
        yield _LAID_OUT
    finally:
        # If this fails too, the next one, or the account's next start, removes it.
        with contextlib.suppress(MailpodError):
            context.channel.account(account.name, public, "drop-snapshot")


def _taken(said: bytes, moment: datetime) -> dict[str, object]:
    """What is on record of it, from the last line that restic said."""
    summary = json.loads(said.strip().splitlines()[-1])
    return {
        "taken": moment,
        "snapshot": summary["snapshot_id"],
        "size": summary["total_bytes_processed"],
        "added": summary.get("data_added", 0),
    }


def _state(context: Context, plan: BackupPlan) -> dict[str, object]:
    depot = depots.of(context, SYSTEM, plan)
    context.progress("backing up keys and the desired state")
    moment = now()
    content = state(context)
    said = depots.written(context, depot, "save", STATE_FILE, str(len(content)), given=[content])
    return _taken(said, moment)


def state(context: Context) -> bytes:
    """The state folder as a tar: records and keys as they are at one moment, what main alone has, the zone's keys."""
    buffer = io.BytesIO()
    folder = context.store.folder
    beside = {KEEPSAKES: _keepsakes(context), ZONE_KEYS: zone_keys.packed(context)}
    with context.store.lock(), tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not name.name.startswith(".") and name.parts[0] not in _LEFT_OUT:
                archive.add(path, str(name), recursive=False)
        for file, content in beside.items():
            member = tarfile.TarInfo(file)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _keepsakes(context: Context) -> bytes:
    if main_runs(context):
        return context.channel.main("keepsakes")
    context.progress("main does not run: the webmail's address books are not in this backup")
    return b""
