"""The ways of messages through main and the accounts, put together from what their logs tell."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from mailpod.model.maillog import Event

Node = tuple[str, str]
"""`main` or the name of an account, and a queue id of its Postfix; ids of two of them may be the same."""

_INTERNAL = ".mailpod.internal"
_LOOPBACK = "127.0.0.1["
_ACCOUNT_USER = "1000"


@dataclass(frozen=True)
class Step:
    """One thing that happened on the way.

    Attributes:
        at: RFC 3339, UTC.
        element: `main`, or the account.
        queue_id: empty when it was refused before it had one.
    """

    at: str
    element: str
    queue_id: str
    what: str


@dataclass(frozen=True)
class Outcome:
    """What has become of a message for one recipient.

    Attributes:
        kind: `delivered`, `sent` (to the outside), `waiting`, `held`, `refused`, `returned`, `dropped`, `discarded` (by a
            filter), or `unknown` when the logs tell no more.
    """

    recipient: str
    kind: Literal["delivered", "sent", "waiting", "held", "refused", "returned", "dropped", "discarded", "unknown"]
    text: str


@dataclass(frozen=True)
class Journey:
    """The way of one message, with the copies that filters have made of it.

    Attributes:
        message_id: empty when nothing tells it.
        elements: those it has passed, or was about to.
    """

    message_id: str
    sender: str
    steps: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    elements: frozenset[str]


@dataclass
class Entry:
    """What one Postfix tells of one message, in order."""

    element: str
    queue_id: str
    events: list[Event] = field(default_factory=list)

    @property
    def node(self) -> Node:
        """By what it is known."""
        return self.element, self.queue_id

    @cached_property
    def message_id(self) -> str:
        """Empty when it was refused before that was said."""
        return next((event.text for event in self.events if event.kind == "named"), "")

    @cached_property
    def sender(self) -> str | None:
        """Its envelope's; None when nothing tells it."""
        told = (event for event in self.events if event.kind in {"queued", "submitted", "refused", "expired"})
        return next((event.sender for event in told), None)

    @cached_property
    def last_tries(self) -> dict[str, Event]:
        """By recipient, the last attempt."""
        return {one.recipient: one for one in self.events if one.kind in {"sent", "deferred", "bounced"}}

    def addresses(self) -> Iterator[str]:
        """All that its envelope has had."""
        yield self.sender or ""
        for event in self.events:
            yield event.recipient
            yield event.original

    def find(self, kind: str) -> Event | None:
        """The last event of a kind."""
        return next((event for event in reversed(self.events) if event.kind == kind), None)


class Logbook:
    """What all logs that were read tell.

    Args:
        events: by element, in order.
        folders: by what has been delivered by Procmail, where to.
    """

    def __init__(self, events: Mapping[str, Iterable[Event]], folders: Mapping[Node, str] | None = None) -> None:
        self._read = frozenset(events)
        self._entries: dict[Node, Entry] = {}
        self._folders = dict(folders or {})
        self._filed: dict[tuple[str, str], list[Event]] = defaultdict(list)
        self._neighbours: dict[Node, list[Node]] = defaultdict(list)
        self._successor: dict[Node, Node] = {}
        for element, told in events.items():
            for event in told:
                self._take(element, event)
        for entry in self._entries.values():
            self._connect(entry)
        self._connect_forwards()

    def journeys(self, wanted: Callable[[Entry], bool]) -> list[Journey]:
        """The ways of the messages to which a wanted entry belongs, the oldest first."""
        seen: set[Node] = set()
        found = []
        for node, entry in self._entries.items():
            if node not in seen and wanted(entry):
                together = self._around(node)
                seen |= together
                found.append(self._journey([one for known, one in self._entries.items() if known in together]))
        return sorted(found, key=lambda journey: journey.steps[0].at if journey.steps else "")

    def _take(self, element: str, event: Event) -> None:
        if event.kind == "filed":
            self._filed[element, event.link].append(event)
            return
        # What was refused without an id is one thing for each that sends, for whom, and why.
        queue_id = event.queue_id or f"{event.peer} {event.sender} {event.recipient} {event.text}"
        self._entries.setdefault((element, queue_id), Entry(element, event.queue_id)).events.append(event)

    def _connect(self, entry: Entry) -> None:
        for event in entry.events:
            if event.kind == "sent" and event.link:
                where = _next_element(entry.element, event.peer)
                if where:
                    self._join(entry.node, (where, event.link))
            elif event.kind == "submitted" and event.link:
                before = (entry.element, event.link)
                self._successor[before] = entry.node
                self._join(before, entry.node)

    def _connect_forwards(self) -> None:
        """What a filter forwards comes into the account's own queue with the Message-ID it has."""
        by_name: dict[tuple[str, str], Entry] = {}
        for entry in self._entries.values():
            if not entry.message_id.strip("<>"):
                continue
            key = (entry.element, entry.message_id)
            submitted = entry.find("submitted")
            if submitted and submitted.login == _ACCOUNT_USER and key in by_name:
                self._join(by_name[key].node, entry.node)
            by_name.setdefault(key, entry)

    def _join(self, one: Node, other: Node) -> None:
        self._neighbours[one].append(other)
        self._neighbours[other].append(one)

    def _around(self, node: Node) -> set[Node]:
        found, open_ = {node}, [node]
        while open_:
            for other in self._neighbours[open_.pop()]:
                if other not in found:
                    found.add(other)
                    open_.append(other)
        return found
