"""Messages that wait, in main and in the accounts: which, why, and what the operator wants done with them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import Account
from mailpod.model.spec import LABEL_ID, LABEL_ROLE, Workload
from mailpod.services.context import Context

_AT_ONCE = 8
# An account that hangs must not hold up what is known of the others.
_PATIENCE = 5.0
HELD = "hold"
"""The queue of what Postfix does not try."""

# A forced command is one word list; a kernel takes 128 KiB for one argument.
_IDS_AT_ONCE = 1000


@dataclass(frozen=True)
class Message:
    """A message that waits.

    Attributes:
        element: in whose queue it is: `main`, or the account that wrote it.
        recipients: those it has not reached yet.
        reason: why the last attempt failed, or `on hold`, as for a frozen account; empty when there was none.
        size: bytes.
        queue: which of Postfix's queues it is in: `incoming`, `active`, `deferred` or `hold`.
        since: when it came into the queue.
    """

    element: str
    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    reason: str
    size: int
    queue: str
    since: datetime

    @property
    def name(self) -> str:
        """What it is called by: a queue id is of one element."""
        return f"{self.element}:{self.queue_id}"


@dataclass(frozen=True)
class Detail:
    """A message that waits, looked into.

    Attributes:
        next_try: from when on it is tried next; None when it is being tried, or on hold.
        headers: as they were sent, with the systems' own before them.
        body: None when it was not asked for.
    """

    message: Message
    next_try: datetime | None
    headers: str
    body: str | None = None


def answers(workload: Workload | None) -> bool:
    """Whether it is worth asking; one that is known to be ill may take long to say nothing."""
    return workload is not None and workload.state == "running" and workload.health != "unhealthy"


def queues_of(context: Context, main: Workload | None, accounts: Iterable[Account]) -> dict[str, list[Message] | None]:
    """What waits in main and in these accounts, which are reached through main; None where there is no answer."""
    if main is None or main.state != "running":
        return {}
    asked: dict[str, Callable[[], bytes]] = {"main": partial(context.channel.main, "queue")}
    for account in accounts:
        public = context.account_identity(account).ssh_host_public
        asked[account.name] = partial(context.channel.account, account.name, public, "queue", seconds=_PATIENCE)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(asked, pool.map(_queue, asked, asked.values()), strict=True))


def of(context: Context, account: Account) -> list[Message]:
    """What waits in an account; raises `MailpodError` when it does not answer."""
    return _messages(account.name, _ask(context, account.name, "queue"))


def listed(context: Context) -> tuple[list[Message], list[str]]:
    """All that waits, and the names of those who run and do not tell what waits in them.

    Raises:
        MailpodError: main does not run or does not answer, and with it none does.
    """
    context.require_system()
    workloads = context.engine.workloads(context.instance)
    main = next((one for one in workloads if one.labels.get(LABEL_ROLE) == "main"), None)
    by_id = {one.labels.get(LABEL_ID): one for one in workloads}
    running = [a for a in context.store.accounts() if (there := by_id.get(a.id)) and there.state == "running"]
    found = queues_of(context, main, [account for account in running if answers(by_id[account.id])])
    if found.get("main") is None:
        raise MailpodError("main does not answer", "see: mailpod status")
    silent = [account.name for account in running if found.get(account.name) is None]
    return [message for queue in found.values() for message in queue or ()], silent


def detail(context: Context, name: str, *, body: bool) -> Detail:
    """Look into a message.

    Args:
        name: `ELEMENT:ID`.
        body: whether its content is wanted, and not only its headers.

    Raises:
        NotFound: nothing of this name waits.
    """
    (message,) = named(context, [name])
    said = _ask(context, message.element, f"headers {message.queue_id}").decode(errors="replace")
    when, _, headers = said.partition("\n")
    content = _ask(context, message.element, f"body {message.queue_id}").decode(errors="replace") if body else None
    next_try = datetime.fromtimestamp(int(when), UTC) if when.isdecimal() else None
    return Detail(message, next_try, headers, content)


def retry(context: Context, names: Sequence[str]) -> list[Message]:
    """Try messages at once that were put off, all of them without a name.

    What is on hold in an account since it was restored is tried when it is named.

    Raises:
        NotFound: nothing of such a name waits.
        InvalidInput: one of them is on hold in main.
    """
    chosen = named(context, names) if names else [one for one in listed(context)[0] if one.queue == "deferred"]
    held = [message for message in chosen if message.queue == HELD]
    for message in held:
        if message.element == "main":
            raise InvalidInput(
                f"{message.name} is on hold, which there only a frozen account's mail is",
                "run: mailpod account thaw NAME",
            )
    _do(context, "release", held)
    _do(context, "retry", [message for message in chosen if message.queue == "deferred"])
    return chosen


def drop(context: Context, messages: Iterable[Message], *, bounce: bool) -> None:
    """Remove messages for good.

    Args:
        bounce: whether they go back to their senders; else nobody is told.
    """
    _do(context, "return" if bounce else "drop", messages)


def named(context: Context, names: Sequence[str]) -> list[Message]:
    """The messages of these names, `ELEMENT:ID` each.

    Raises:
        InvalidInput: one of them is no such name.
        NotFound: one of them does not wait.
    """
    context.require_system()
    wanted = [_split(name) for name in names]
    waiting: dict[str, Mapping[str, Message]] = {}
    for element, _ in wanted:
        if element not in waiting:
            said = _ask(context, element, "queue")
            waiting[element] = {one.queue_id: one for one in _messages(element, said)}
    for element, queue_id in wanted:
        if queue_id not in waiting[element]:
            raise NotFound(f"no message {queue_id} waits in {element}", "see: mailpod queue list")
    return [waiting[element][queue_id] for element, queue_id in dict.fromkeys(wanted)]


def _split(name: str) -> tuple[str, str]:
    element, colon, queue_id = name.partition(":")
    if not colon or not (queue_id.isascii() and queue_id.isalnum()):
        raise InvalidInput(f"{name!r} is no message", "give one as `mailpod queue list` shows it, e.g. main:4bXyz")
    return element.lower(), queue_id


def _do(context: Context, verb: str, messages: Iterable[Message]) -> None:
    by_element: dict[str, list[str]] = {}
    for message in messages:
        by_element.setdefault(message.element, []).append(message.queue_id)
    for element, ids in by_element.items():
        for at in range(0, len(ids), _IDS_AT_ONCE):
            _ask(context, element, " ".join([verb, *ids[at : at + _IDS_AT_ONCE]]))


def _ask(context: Context, element: str, verb: str) -> bytes:
    if element == "main":
        return context.channel.main(verb)
    account = context.store.account(element)
    return context.channel.account(account.name, context.account_identity(account).ssh_host_public, verb)


def _queue(element: str, ask: Callable[[], bytes]) -> list[Message] | None:
    """The messages in a queue; None when nobody answers."""
    try:
        return _messages(element, ask())
    except MailpodError:
        return None


def _messages(element: str, said: bytes) -> list[Message]:
    """From what `postqueue -j` prints (postqueue(1)).

    Raises:
        MailpodError: it is something else; an account may say anything.
    """
    try:
        return [_message(element, json.loads(line)) for line in said.splitlines() if line.strip()]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise MailpodError(f"{element} does not tell its queue", "see: mailpod doctor") from error


def _message(element: str, entry: dict[str, Any]) -> Message:
    recipients = entry["recipients"]
    queue = entry["queue_name"]
    return Message(
        element=element,
        queue_id=entry["queue_id"],
        sender=entry["sender"],
        recipients=tuple(one["address"] for one in recipients),
        reason="on hold"
        if queue == HELD
        else next((one["delay_reason"] for one in recipients if one.get("delay_reason")), ""),
        size=entry["message_size"],
        queue=queue,
        since=datetime.fromtimestamp(entry["arrival_time"], UTC),
    )
