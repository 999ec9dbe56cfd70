"""How many messages main has taken, handed on and refused, counted from its log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailpod.model.journey import next_element
from mailpod.model.maillog import Event

Count = tuple[str, str]
"""What is counted, and of which account, verdict or kind; empty for what has no such."""

_MOST_PENDING = 1000


@dataclass
class Tally:
    """What has been counted so far.

    Attributes:
        counts: `received` from outside, `submitted` by an account, `delivered` to an account, `sent` to the outside,
            `returned` to their senders; `refused`, by the first digit of the answer; attempts that were `deferred`, by
            `account` or `outside`; `spam`, by what Rspamd did.
        pending: by queue id, what a message counts as once it has been taken to the end.
        until: the time of the last line that was counted, as the log has it.
    """

    counts: dict[Count, int] = field(default_factory=dict)
    pending: dict[str, Count] = field(default_factory=dict)
    until: str = ""

    def add(self, events: Iterable[Event]) -> None:
        """Count what main's log goes on with."""
        for event in events:
            self._take(event)
        for queue_id in list(self.pending)[: max(0, len(self.pending) - _MOST_PENDING)]:
            del self.pending[queue_id]

    def keep(self, accounts: Mapping[str, object]) -> None:
        """Forget the numbers of accounts that are gone."""
        of_accounts = {"submitted", "delivered"}
        self.counts = {
            (what, of): number
            for (what, of), number in self.counts.items()
            if what not in of_accounts or of in accounts
        }

    def _take(self, event: Event) -> None:
        match event.kind:
            case "came" if event.service == "smtpd":
                self.pending[event.queue_id] = ("received", "")
            case "came" if event.service == "accounts/smtpd":
                self.pending[event.queue_id] = ("submitted", event.login)
            case "queued" if event.queue_id in self.pending:
                self._one(*self.pending.pop(event.queue_id))
            case "refused":
                self.pending.pop(event.queue_id, None)
                self._one("refused", "4" if event.text.startswith("4") else "5")
            case "judged" if event.verdict != "no action":
                self._one("spam", event.verdict)
            case "bounced" | "expired":
                self._one("returned", "")
            case "sent" | "deferred":
                self._attempt(event)

    def _attempt(self, event: Event) -> None:
        element = next_element("main", event.peer)
        if event.kind == "deferred":
            self._one("deferred", "account" if element else "outside")
        elif element not in {"", "main"}:
            self._one("delivered", element)
        elif not element:
            self._one("sent", "")

    def _one(self, what: str, of: str) -> None:
        self.counts[what, of] = self.counts.get((what, of), 0) + 1
