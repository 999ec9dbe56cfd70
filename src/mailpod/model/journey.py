"""The ways of messages through main and the accounts, put together from what their logs tell."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from mailpod.model.maillog import Event

Node = tuple[str, str]
"""`main` or the name of an account, and a queue id of its Postfix; ids of two of them may be the same."""

_INTERNAL = ".mailpod.internal["
_LOOPBACK = "127.0.0.1["
_ACCOUNT_USER = "1000"
_ATTEMPTS = {"sent", "deferred", "bounced"}
_PLAIN = {"held": "put on hold", "released": "let go from hold", "expired": "given up, returned to its sender"}


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
        kind: `delivered`, `sent` (to the outside), `waiting`, `held`, `refused`, `returned`, `dropped`, `filtered` (a
            filter has done something else with it), or `unknown` when the logs tell no more.
    """

    recipient: str
    kind: Literal["delivered", "sent", "waiting", "held", "refused", "returned", "dropped", "filtered", "unknown"]
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
        return {one.recipient: one for one in self.events if one.kind in _ATTEMPTS}

    @property
    def held(self) -> bool:
        """Whether it is on hold."""
        return next((one.kind == "held" for one in reversed(self.events) if one.kind in {"held", "released"}), False)

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
        self._forwarded: set[Node] = set()
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
                entries = [self._entries[one] for one in together if one in self._entries]
                found.append(self._journey(sorted(entries, key=lambda one: one.events[0].at)))
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
                where = next_element(entry.element, event.peer)
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
                self._forwarded.add(by_name[key].node)
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

    def _journey(self, entries: list[Entry]) -> Journey:
        steps = [step for entry in entries for step in self._steps(entry)]
        return Journey(
            message_id=next((entry.message_id for entry in entries if entry.message_id), ""),
            sender=entries[0].sender or "",
            steps=tuple(sorted(steps, key=lambda step: step.at)),
            outcomes=tuple(outcome for entry in entries for outcome in self._outcomes(entry)),
            elements=frozenset(self._elements(entries)),
        )

    def _elements(self, entries: Iterable[Entry]) -> Iterator[str]:
        for entry in entries:
            yield entry.element
            for event in entry.events:
                if event.kind in _ATTEMPTS and (other := next_element(entry.element, event.peer)):
                    yield other
                if event.kind == "came" and event.service == "accounts/smtpd" and event.login:
                    yield event.login

    def _steps(self, entry: Entry) -> Iterator[Step]:
        for event in entry.events:
            if what := self._words(entry, event):
                yield Step(event.at, entry.element, entry.queue_id, what)
            if event.kind == "sent":
                # What has a folder is told already.
                for filed in self._filed.get((entry.element, event.link), ()):
                    if not filed.folder:
                        yield Step(filed.at, entry.element, entry.queue_id, filed.text)

    def _words(self, entry: Entry, event: Event) -> str:
        if event.kind in _ATTEMPTS:
            return self._attempt(entry, event)
        match event.kind:
            case "came":
                return _arrival(entry.element, event)
            case "submitted":
                return "is queued once more, and marked as such" if event.link else "written by a program or a filter"
            case "judged":
                return "" if event.text.startswith("0.00 ") else f"Rspamd: {event.verdict}, {event.text} points"
            case "refused":
                return f"{_refusal(event)}: {event.text}"
            case "reported":
                return f"its sender gets a report, {event.link}"
            case "removed":
                return "dropped by the operator" if event.service == "postsuper" else ""
        return _PLAIN.get(event.kind, "")

    def _attempt(self, entry: Entry, event: Event) -> str:
        if event.kind == "deferred":
            return f"put off for {event.recipient}: {event.text}"
        if event.kind == "bounced":
            return f"cannot be delivered to {event.recipient}: {event.text}"
        return self._handing_over(entry, event)

    def _handing_over(self, entry: Entry, event: Event) -> str:
        where = next_element(entry.element, event.peer)
        if where == entry.element:
            return f"passes {where} once more, as {event.link}"
        if where:
            return f"handed to {where} for {event.recipient}, there {event.link}"
        if _is_local(event):
            return f"put into {self._folder(entry, event)}" if self._folder(entry, event) else "delivered"
        return f"{event.peer} took it for {event.recipient}: {event.text}"

    def _folder(self, entry: Entry, event: Event) -> str:
        """Where it lies in the mailbox; empty when that is not told."""
        filed = (one.folder for one in self._filed.get((entry.element, event.link), ()))
        return self._folders.get(entry.node, "") or next(filter(None, filed), "")

    def _outcomes(self, entry: Entry) -> Iterator[Outcome]:
        refused = entry.find("refused")
        if refused and not entry.find("queued"):
            yield Outcome(refused.recipient, "refused", f"{_refusal(refused)}: {refused.text}")
            return
        for recipient, last in entry.last_tries.items():
            name = last.original or recipient
            outcome = self._put_off(entry, name, last) if last.kind == "deferred" else self._outcome(entry, name, last)
            if outcome:
                yield outcome
        if not entry.last_tries and (outcome := self._put_off(entry, "", None)):
            yield outcome

    def _put_off(self, entry: Entry, recipient: str, last: Event | None) -> Outcome | None:
        """What has become of what was not delivered: `last` is why, if it was tried."""
        if entry.node in self._successor:
            return None
        ended = entry.find("removed")
        if ended and ended.service == "postsuper":
            return Outcome(recipient, "dropped", "dropped by the operator; its sender was not told")
        why = last.text if last else ""
        if entry.find("expired"):
            return Outcome(recipient, "returned", f"returned to its sender: {why}")
        if entry.held:
            return Outcome(recipient, "held", f"on hold in {entry.element}")
        if ended:
            return None
        return Outcome(recipient, "waiting", f"waits in {entry.element}: {why or 'it has not been tried yet'}")

    def _outcome(self, entry: Entry, name: str, last: Event) -> Outcome | None:
        element = entry.element
        if last.kind == "bounced":
            return Outcome(name, "returned", f"returned to its sender: {last.text}")
        where = next_element(element, last.peer)
        if where:
            if (where, last.link) in self._entries:
                return None
            return Outcome(name, "unknown", f"handed to {where}; {self._silence(where)}")
        if not _is_local(last):
            return Outcome(name, "sent", f"sent to {last.peer.partition('[')[0]}")
        return self._delivered(entry, name, last)

    def _delivered(self, entry: Entry, recipient: str, last: Event) -> Outcome:
        folder = self._folder(entry, last)
        if folder:
            return Outcome(recipient, "delivered", f"in mailbox of {entry.element} ({folder})")
        filed = self._filed.get((entry.element, last.link), ())
        if filed or entry.node in self._forwarded:
            what = filed[-1].text if filed else "forwarded"
            return Outcome(recipient, "filtered", f"handled by a filter of {entry.element}: {what}")
        return Outcome(recipient, "delivered", f"delivered in {entry.element}; its log does not tell the folder")

    def _silence(self, element: str) -> str:
        return "its log tells no more" if element in self._read else "its log cannot be read"


def next_element(element: str, peer: str) -> str:
    """Whom an attempt was for, by the name it has inside; empty when it is somebody outside, or the mailbox."""
    if peer.startswith(_LOOPBACK):
        return element
    name, found, _ = peer.partition(_INTERNAL)
    return name if found else ""


def _is_local(event: Event) -> bool:
    return event.service in {"lmtp", "pipe"}


def _refusal(event: Event) -> str:
    return "asked to come again later" if event.text.startswith("4") else "refused"


def _arrival(element: str, event: Event) -> str:
    match event.service:
        case "accounts/smtpd":
            return f"came from {event.login}"
        case "srs/smtpd":
            return "goes on under an address of the organisation's"
        case "frozen/smtpd":
            return "set aside, for a frozen account"
        case "thawed/smtpd":
            return "goes on after having been on hold"
        case "submission/smtpd" | "submissions/smtpd":
            return "written by its owner"
    return f"came from outside, {event.peer}" if element == "main" else "came from main"
