"""Numbers of the whole system for Prometheus, in its text format."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailpod.model.counting import Tally
from mailpod.model.errors import MailpodError
from mailpod.model.maillog import parse
from mailpod.model.records import NO_QUOTA, Account, now
from mailpod.services.context import Context
from mailpod.services.logs import Logs
from mailpod.services.queues import Message
from mailpod.services.status import Status, status
from mailpod.store import write_durably

_AT_ONCE = 8
_PATIENCE = 5.0
_QUEUES = ("incoming", "active", "deferred", "hold")


def text(context: Context) -> str:
    """All numbers as they are now; raises `NotFound` before the first `up`."""
    return generate_latest(_registry(context)).decode()


def write(context: Context, path: Path) -> None:
    """Replace a file by them, whole.

    Raises:
        NotFound: before the first `up`.
        OSError: it cannot be written.
    """
    write_to_textfile(str(path), _registry(context))


def _registry(context: Context) -> CollectorRegistry:
    found = status(context)
    context.progress("counting")
    families = [
        *_containers(found),
        *_queue(found),
        *_mailboxes(context, found),
        *_dates(found),
        *_counters(_tally(context)),
    ]
    registry = CollectorRegistry()
    registry.register(_Told(families))
    return registry


class _Told(Collector):
    """What was found."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """As it was found."""
        return self._families


def _containers(found: Status) -> Iterator[Metric]:
    up = GaugeMetricFamily("mailpod_up", "Whether the container of main or of an account runs.", labels=["element"])
    healthy = GaugeMetricFamily(
        "mailpod_healthy", "Whether its servers answer, where the engine checks that.", labels=["element"]
    )
    frozen = GaugeMetricFamily("mailpod_frozen", "Whether the account is frozen.", labels=["element"])
    memory = GaugeMetricFamily("mailpod_memory_bytes", "Memory in use, without page cache.", labels=["element"])
    for one in (found.main, *found.beside, *found.accounts):
        up.add_metric([one.name], one.observed == "running")
        memory.add_metric([one.name], one.memory)
        if one.health in {"healthy", "unhealthy"}:
            healthy.add_metric([one.name], one.health == "healthy")
    for one in found.accounts:
        frozen.add_metric([one.name], bool(one.frozen))
    yield from (up, healthy, frozen, memory)


def _queue(found: Status) -> Iterator[Metric]:
    messages = GaugeMetricFamily("mailpod_queue_messages", "Messages that wait.", labels=["element", "queue"])
    oldest = GaugeMetricFamily(
        "mailpod_queue_oldest_seconds", "Since when the oldest waits, but for those on hold.", labels=["element"]
    )
    waiting = found.queue or []
    counted = Counter((one.element, one.queue) for one in waiting)
    # Who does not answer has not for that an empty queue.
    known = [one.name for one in (found.main, *found.accounts) if one.observed == "running" and one.waiting is not None]
    for element in known:
        for queue in _QUEUES:
            messages.add_metric([element, queue], counted[element, queue])
        oldest.add_metric([element], _age(one for one in waiting if one.element == element and one.queue != "hold"))
    yield from (messages, oldest)


def _age(messages: Iterable[Message]) -> float:
    first = min((one.since for one in messages), default=None)
    return max(0.0, (now() - first).total_seconds()) if first else 0.0


def _mailboxes(context: Context, found: Status) -> Iterator[Metric]:
    size = GaugeMetricFamily("mailpod_mailbox_bytes", "What the account's mail takes.", labels=["element"])
    messages = GaugeMetricFamily("mailpod_mailbox_messages", "Messages in the account's mailbox.", labels=["element"])
    quota = GaugeMetricFamily("mailpod_quota_bytes", "What it may take, where that is limited.", labels=["element"])
    free = GaugeMetricFamily("mailpod_volume_free_bytes", "What is left on the account's volume.", labels=["element"])
    running = {one.name for one in found.accounts if one.observed == "running" and one.health != "unhealthy"}
    accounts = context.store.accounts()
    asked = [account for account in accounts if account.name in running and found.main.observed == "running"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for account, said in zip(asked, pool.map(partial(_room, context), asked), strict=True):
            if said:
                free.add_metric([account.name], said[0])
                messages.add_metric([account.name], said[1])
                size.add_metric([account.name], said[2])
    for account in accounts:
        if account.quota != NO_QUOTA:
            quota.add_metric([account.name], account.quota)
    yield from (size, messages, quota, free)


def _room(context: Context, account: Account) -> list[int]:
    public = context.account_identity(account).ssh_host_public
    try:
        free, messages, size = map(
            int, context.channel.account(account.name, public, "room", seconds=_PATIENCE).split()
        )
    except (MailpodError, ValueError):
        # An account may say anything.
        return []
    return [free, messages, size]


def _dates(found: Status) -> Iterator[Metric]:
    end = GaugeMetricFamily(
        "mailpod_certificate_end_timestamp_seconds",
        "Until when the certificate for clients is good.",
        labels=["element"],
    )
    for one in found.certificates:
        end.add_metric([one.name], one.not_after.timestamp())
    done = GaugeMetricFamily(
        "mailpod_chore_done_timestamp_seconds", "When `mailpod tend` last did it well.", labels=["chore"]
    )
    failed = GaugeMetricFamily("mailpod_chore_failed", "Whether it failed since.", labels=["chore"])
    for name, chore in found.tended.chores.items():
        failed.add_metric([name], bool(chore.problem))
        if chore.last:
            done.add_metric([name], chore.last.timestamp())
    yield from (end, done, failed)


def _tally(context: Context) -> Tally:
    """The counts, brought up to date: what the log has had since they were taken last is added to them."""
    path = context.store.folder / "counts.json"
    with context.store.lock("counts"):
        tally = _read(path)
        try:
            since = datetime.fromisoformat(tally.until) if tally.until else None
            lines = [line for line in Logs(context).read(None, since) if line > f"{tally.until} \x7f"]
        except MailpodError:
            return tally
        tally.add(event for line in lines if (event := parse(line)))
        tally.keep({account.name: account for account in context.store.accounts()})
        if lines:
            tally.until = lines[-1].partition(" ")[0]
        write_durably(path, _written(tally))
    return tally


def _read(path: Path) -> Tally:
    """Begun anew when it is not there or was damaged, which Prometheus knows of counters."""
    try:
        told = json.loads(path.read_text())
        return Tally(
            {(what, of): number for what, of, number in told["counts"]},
            {queue_id: (what, of) for queue_id, what, of in told["pending"]},
            told["until"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Tally()


def _written(tally: Tally) -> bytes:
    told = {
        "until": tally.until,
        "counts": [[*count, number] for count, number in sorted(tally.counts.items())],
        "pending": [[queue_id, *count] for queue_id, count in tally.pending.items()],
    }
    return json.dumps(told, indent=1).encode()


_COUNTERS = (
    ("received", "", "mailpod_messages_received", "Messages that main has taken from outside."),
    ("submitted", "element", "mailpod_messages_submitted", "Messages that main has taken from an account."),
    (
        "delivered",
        "element",
        "mailpod_messages_delivered",
        "Messages that an account has taken from main, by recipient.",
    ),
    ("sent", "", "mailpod_messages_sent", "Messages that somebody outside has taken, by recipient."),
    ("returned", "", "mailpod_messages_returned", "Messages that could not be delivered, by recipient."),
    ("refused", "answer", "mailpod_messages_refused", "What main has refused, for now (4) or for good (5)."),
    ("deferred", "to", "mailpod_attempts_deferred", "Attempts to deliver that were put off."),
    ("spam", "verdict", "mailpod_messages_spam", "Messages that Rspamd has not let pass as they were."),
)


def _counters(tally: Tally) -> Iterator[Metric]:
    for what, label, name, meaning in _COUNTERS:
        family = CounterMetricFamily(name, meaning, labels=[label] if label else [])
        found = {of: number for (counted, of), number in tally.counts.items() if counted == what}
        for of, number in sorted((found or ({} if label else {"": 0})).items()):
            family.add_metric([of] if label else [], number)
        yield family
