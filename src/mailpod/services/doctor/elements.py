"""What main and the accounts tell of themselves: files, owners, disks, queues, clocks; each is asked once."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from mailpod.model import layout
from mailpod.model.doctor import clock, disks, elements, queues
from mailpod.model.doctor.elements import Disk, Examination
from mailpod.model.doctor.finding import Finding
from mailpod.model.errors import MailpodError
from mailpod.model.records import Account, now
from mailpod.model.spec import LABEL_ID, LABEL_ROLE
from mailpod.services.channel import Refused
from mailpod.services.context import Context
from mailpod.services.reconcile import main_files

_AT_ONCE = 8
_SECONDS = 20.0


def ask(context: Context, patience: timedelta) -> list[Finding]:
    """Ask every element that runs.

    Args:
        patience: how long mail may wait.
    """
    if not context.system.running:
        return []
    running = [one for one in context.engine.workloads(context.instance) if one.runs]
    main = next((one for one in running if one.labels.get(LABEL_ROLE) == "main"), None)
    if main is None:
        return []
    ids = {one.labels.get(LABEL_ID) for one in running}
    people = [one for one in context.store.accounts() if one.id in ids and not one.frozen]
    here = main.node
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        of_main = pool.submit(_main, context, patience)
        each = list(pool.map(partial(_account, context, patience), people))
        found, disk = of_main.result()
    for account, (own, its) in zip(people, each, strict=True):
        found += own
        # A volume without a limit of its own has the engine's disk, of which main has told.
        if its and not (account.node in {"", here} and disk and its.size == disk.size):
            found += disks.of_disk(f"the disk of {account.name}", _volume(context, account), its)
    return found


def _main(context: Context, patience: timedelta) -> tuple[list[Finding], Disk | None]:
    container = layout.main_container(context.instance)
    frozen = {one.fqdn(context.system.domain) for one in context.store.accounts() if one.frozen}
    found: list[Finding] = []
    disk = None
    with _answering("main", container, found):
        there, _, _ = _examined(context.channel.main)
        found += elements.of_files("main", container, main_files(context), there)
        found += elements.of_owners("main", container, "", there)
        found += disks.of_disk("the engine's disk", container, there.disk)
        found += queues.of_queue("main", context.channel.main("queue"), now(), patience, frozen)
        disk = there.disk
    return found, disk


def _account(context: Context, patience: timedelta, account: Account) -> tuple[list[Finding], Disk | None]:
    container = layout.account_container(context.instance, account.name)
    found: list[Finding] = []
    disk = None
    with _answering(account.name, container, found):
        public = context.account_identity(account).ssh_host_public
        say = partial(context.channel.account, account.name, public, seconds=_SECONDS)
        there, offset, unsure = _examined(say)
        found += elements.of_files(account.name, container, context.account_files(account), there)
        found += elements.of_owners(account.name, _volume(context, account), account.id, there)
        if account.node:
            found += clock.of_offset(offset, account.node, "this machine's", unsure)
        found += queues.of_queue(account.name, say("queue"), now(), patience)
        disk = there.disk
    return found, disk


def _volume(context: Context, account: Account) -> str:
    return layout.account_volume(context.instance, account)


def _examined(say: Callable[[str], bytes]) -> tuple[Examination, float, float]:
    """What an element tells; by how much its clock is ahead of ours, and how wrong that may be."""
    before = time.time()
    there = Examination.read(say("examine"))
    after = time.time()
    # It tells whole seconds.
    return there, there.clock + 0.5 - (before + after) / 2, (after - before) / 2 + 0.5


@contextlib.contextmanager
def _answering(element: str, container: str, found: list[Finding]) -> Iterator[None]:
    """One that does not answer, or answers nonsense, keeps nothing from being known of the others."""
    try:
        yield
    except MailpodError as problem:
        do = "mailpod rebuild" if isinstance(problem, Refused) else _look(container)
        found.append(Finding("error", f"{element} could not be asked: {problem.what}", container, do))
    except (ValueError, KeyError, TypeError):
        found.append(Finding("error", f"{element} gives an answer that is none", container, _look(container)))


def _look(container: str) -> str:
    return f"docker logs --tail 50 {container}"
