"""What is done about backups unasked: making those that are due, keeping them few, finding them whole."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from mailpod.model.backup import SYSTEM, Backed, BackupPlan
from mailpod.model.depot import UNREACHED, DepotError
from mailpod.model.errors import MailpodError
from mailpod.model.records import Account, now
from mailpod.services import backing_up, depots
from mailpod.services.context import Context

# An hourly chore does not come at the minute.
_SLACK = timedelta(minutes=30)
_CHECK_EVERY = timedelta(days=7)
# At each check another part of the data is read, so that all of it is within eight.
_PARTS = 8


@dataclass(frozen=True)
class BackupHealth:
    """How it stands with backups.

    Attributes:
        repository: where they go; empty when none is set up.
        oldest: when the last good backup was taken of whoever had his longest ago; None while somebody has none.
        problems: what is wrong, a line each.
    """

    repository: str
    oldest: datetime | None
    problems: tuple[str, ...]


def health(context: Context) -> BackupHealth:
    """What is on record of the backups; nothing is asked of the repository."""
    plan = context.store.backup_plan()
    if plan is None or not plan.repository:
        return BackupHealth("", None, ("no backup is set up: mailpod backup to REPOSITORY",))
    people = context.store.accounts()
    taken = [_backed(context, plan, element).taken for element in (SYSTEM, *(one.id for one in people))]
    known = [moment for moment in taken if moment]
    problems = [line for one in people for line in _problems(context, plan, one.name, one.id, one.created)]
    problems += _problems(context, plan, "keys and the desired state", SYSTEM, None)
    return BackupHealth(plan.repository, min(known) if len(known) == len(taken) else None, tuple(problems))


def _problems(context: Context, plan: BackupPlan, name: str, element: str, created: datetime | None) -> list[str]:
    anywhere = context.store.backed(element)
    backed = anywhere.at(plan.repository)
    lines = []
    since = backed.taken or created
    if since is None or now() - since > plan.late_after():
        last = f"was on {anywhere.taken.astimezone():%Y-%m-%d at %H:%M}" if anywhere.taken else "has never been"
        last += "" if anywhere == backed else f", to {anywhere.repository}"
        why = f": {backed.problem}" if backed.problem else ""
        lines.append(f"the last good backup of {name} {last}{why}; run: mailpod backup")
    if backed.damage:
        lines.append(f"the backups of {name} are damaged: {backed.damage}; see docs/backup.md, Backup")
    return lines


def _backed(context: Context, plan: BackupPlan, element: str) -> Backed:
    """How the last backup to where they go now went."""
    return context.store.backed(element).at(plan.repository)


def care(context: Context) -> None:
    """Make the backups that are due, remove those that are not to be kept, and see that they are whole.

    Raises:
        MailpodError: some of it could not be done; all else was.
    """
    plan = context.store.backup_plan()
    if plan is None or not plan.repository:
        return
    problems: list[MailpodError] = []
    due = tuple(one.name for one in context.store.accounts() if _due(context, plan, one.id))
    if due or _due(context, plan, SYSTEM):
        _collect(problems, partial(backing_up.back_up, context, due, all_by_default=False))
        for name, element in _elements(context, plan, due):
            _collect(problems, partial(_keep, context, plan, name, element))
    for name, element in _elements(context, plan, tuple(one.name for one in context.store.accounts())):
        checked = _backed(context, plan, element).checked
        if checked is None or now() - checked > _CHECK_EVERY:
            _collect(problems, partial(_check, context, plan, name, element))
    for element, backed in context.store.all_backed().items():
        if backed.until and backed.until <= now():
            context.progress(f"backups of {element}, which was destroyed, were kept until {backed.until.isoformat()}")
            _collect(problems, partial(depots.destroy_all, context, element))
    if problems:
        raise problems[0]


def _collect(problems: list[MailpodError], act: Callable[[], object]) -> None:
    try:
        act()
    except MailpodError as problem:
        problems.append(problem)


def _due(context: Context, plan: BackupPlan, element: str) -> bool:
    taken = _backed(context, plan, element).taken
    return taken is None or now() - taken > timedelta(hours=plan.every) - _SLACK


def _elements(context: Context, plan: BackupPlan, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Names and ids of accounts of which there is a backup, and the state folder's."""
    known = {account.name: account.id for account in context.store.accounts()} | {SYSTEM: SYSTEM}
    wanted = [(one, known[one]) for one in (*names, SYSTEM) if one in known]
    return [(name, element) for name, element in wanted if _backed(context, plan, element).taken]


def _keep(context: Context, plan: BackupPlan, name: str, element: str) -> None:
    context.progress(f"removing backups of {name} that are not to be kept")
    kept = {"daily": plan.keep_daily, "weekly": plan.keep_weekly, "monthly": plan.keep_monthly}
    words = [word for span, count in kept.items() for word in (f"--keep-{span}", str(count))]
    with backing_up.alone(context, element):
        depots.written(context, depots.of(context, element, plan), "keep", *words)


def _check(context: Context, plan: BackupPlan, name: str, element: str) -> None:
    """See that a repository is whole, and read a part of its data, another one each time.

    Raises:
        MailpodError: it is not, cannot be reached, or another command is at it.
    """
    context.progress(f"checking the backups of {name}")
    # What is being removed meanwhile would look like damage.
    with backing_up.alone(context, element):
        checks = _backed(context, plan, element).checks
        part = f"--read-data-subset={checks % _PARTS + 1}/{_PARTS}"
        try:
            depots.run(context, depots.of(context, element, plan), "check", part)
        except DepotError as problem:
            if problem.code != UNREACHED:
                depots.note(context, plan, element, damage=problem.what)
            raise
        depots.note(context, plan, element, damage="", checked=now(), checks=checks + 1)


def check_all(context: Context, names: tuple[str, ...]) -> dict[str, Backed]:
    """See that the backups of these accounts, or of all, are whole.

    Raises:
        NotFound: there is no such account, or no backup is set up.
        MailpodError: one is not, or cannot be reached; all others were looked at.
    """
    plan = depots.plan(context)
    wanted = names or tuple(one.name for one in context.store.accounts())
    people: list[Account] = [context.store.account(name.lower()) for name in wanted]
    problems: list[MailpodError] = []
    for name, element in _elements(context, plan, tuple(one.name for one in people)):
        _collect(problems, partial(_check, context, plan, name, element))
    if problems:
        raise problems[0]
    return {one.name: _backed(context, plan, one.id) for one in people}
