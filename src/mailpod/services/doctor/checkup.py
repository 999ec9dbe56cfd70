"""Every check, side by side, and the repairs of what they find."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from mailpod.host import limits
from mailpod.model import layout
from mailpod.model.doctor.finding import REPAIRS, Finding, Repair, ordered
from mailpod.model.errors import MailpodError
from mailpod.services import announcing, installation
from mailpod.services.context import Context
from mailpod.services.doctor import elements, folder, machine, objects

Check = Callable[[Context], list[Finding]]

_SECONDS = 90.0
_ROUNDS = 2


@dataclass(frozen=True)
class Diagnosis:
    """Something that was found, and whether it is repaired now."""

    finding: Finding
    fixed: bool = False


def checks(patience: timedelta, time_server: str) -> dict[str, Check]:
    """All there are, by name.

    Args:
        patience: how long mail may wait.
        time_server: who is asked for the time; nobody when it is empty.
    """
    asked: dict[str, Check] = {"time": partial(machine.time, server=time_server)} if time_server else {}
    return {
        "containers": objects.containers,
        "volumes": objects.volumes,
        "networks": objects.networks,
        "helpers": objects.helpers,
        "images": objects.missing_images,
        "elements": partial(elements.ask, patience=patience),
        "rights": folder.rights,
        "compose": folder.compose,
        "disk": folder.disk,
        "past": folder.past,
        "limits": machine.kernel_limits,
        "neighbours": announcing.findings,
        "ports": machine.ports,
        "dns": machine.nameserver,
        "certificates": machine.certificates_on_record,
        **asked,
    }


def examine(context: Context, wanted: Mapping[str, Check], seconds: float = _SECONDS) -> list[Finding]:
    """Run checks side by side. One that fails, or does not end in time, is a finding, and stops no other.

    Raises:
        NotFound: there is no system in the state folder, nor on the engine.
    """
    if not context.store.find_system() and _claimed(context):
        what = "the engine has a system of which the state folder knows nothing"
        return [Finding("error", what, str(context.store.folder), "mailpod rebuild")]
    context.require_system()
    if not (context.store.secrets / "operator_key").exists():
        what = "the keys are gone by which main and the accounts know mailpod"
        return [Finding("error", what, str(context.store.secrets), "mailpod rebuild")]
    # Everything that is made when it is first asked for, before several ask.
    _ = context.channel, context.signing
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    for name, check in wanted.items():
        # Not waited for when the process ends.
        threading.Thread(target=_run, args=(answers, name, check, context.beside()), daemon=True).start()
    found: list[Finding] = []
    missing = set(wanted)
    deadline = time.monotonic() + seconds
    while missing:
        try:
            name, its = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        missing.remove(name)
        found += its
    for name in sorted(missing):
        what = f"the check {name} did not end within {seconds:.0f} s"
        found.append(Finding("warning", what, context.instance, "see: mailpod status", check=name))
    return ordered(found)


def _claimed(context: Context) -> bool:
    return bool(context.engine.workloads(context.instance) or context.engine.volumes(context.instance))


def _run(answers: "queue.SimpleQueue[tuple[str, list[Finding]]]", name: str, check: Check, context: Context) -> None:
    try:
        found = check(context)
    except MailpodError as problem:
        # Often the same for several checks, as when no engine answers; then it is told once.
        found = [Finding("error", problem.what, context.instance, problem.hint)]
    except Exception as problem:  # noqa: BLE001  (whatever it is, the others go on)
        what = f"the check {name} failed: {type(problem).__name__}: {problem}".replace("\n", " ")
        found = [Finding("error", what, context.instance, "report it")]
    answers.put((name, [replace(one, check=one.check or name) for one in found]))


def fix(context: Context, wanted: Mapping[str, Check]) -> list[Diagnosis]:
    """Examine, repair what can be, and examine again.

    Returns:
        What was found the first time or the second.
    """
    seen: dict[tuple[str, str], Finding] = {}
    found, problems = examine(context, wanted), []
    # One hides another: who cannot use a key cannot ask main.
    for _ in range(_ROUNDS):
        new = [one for one in found if one.repair and one.identity not in seen]
        seen |= {one.identity: one for one in found}
        if not new:
            break
        problems = _repaired(context, new)
        context.look_again()
        found = examine(context, wanted)
    remaining = ordered([*found, *problems])
    left = {one.identity for one in remaining}
    gone = [Diagnosis(one, fixed=True) for one in seen.values() if one.wrong and one.identity not in left]
    return [*gone, *(Diagnosis(one) for one in remaining)]


def _repaired(context: Context, found: list[Finding]) -> list[Finding]:
    """Do every repair that findings ask for, once for all of them; what went wrong."""
    problems = []
    for repair in REPAIRS:
        concerned = [one for one in found if one.repair == repair]
        if not concerned:
            continue
        context.progress(f"repairing: {', '.join(one.where for one in concerned)}")
        try:
            _REPAIRS[repair](context, concerned)
        except (MailpodError, OSError) as problem:
            do = problem.hint if isinstance(problem, MailpodError) else "run mailpod as its owner"
            problems.append(Finding("error", f"a repair failed: {problem}", context.instance, do, check=repair))
    return problems


def _modes(context: Context, concerned: list[Finding]) -> None:
    """Let nobody but its owner read or write in the state folder."""
    for one in concerned:
        folder.mend(Path(one.where), context.store.folder)


def _owners(context: Context, concerned: list[Finding]) -> None:
    """Give files on accounts' volumes back to those who have to use them."""
    accounts = {one.id: one for one in context.store.accounts()}
    for one in concerned:
        account = accounts.get(one.subject)
        if account:
            context.engine.mend_owners(context.account_spec(account))


def _network(context: Context, concerned: list[Finding]) -> None:
    """Remove networks that nothing of the system is on."""
    for one in concerned:
        context.engine.remove_network(one.where)


def _limits(context: Context, concerned: list[Finding]) -> None:  # noqa: ARG001  (as every repair)
    """Raise what an idle IMAP session takes."""
    limits.lift()


def _apply(context: Context, concerned: list[Finding]) -> None:  # noqa: ARG001
    """Make everything as it is on record, unless an account would begin without its mail."""
    there = context.engine.volumes(context.instance)
    up = context.engine.up()
    for account in context.store.accounts():
        volume = layout.account_volume(context.instance, account)
        if account.node in up and volume not in there:
            raise MailpodError(
                f"the volume of {account.name} is gone, and mailpod apply would make an empty one",
                f"bring {account.name} back from a backup first",
            )
    installation.apply(context)


_REPAIRS: dict[Repair, Callable[[Context, list[Finding]], None]] = {
    "modes": _modes,
    "owners": _owners,
    "network": _network,
    "limits": _limits,
    "apply": _apply,
}
