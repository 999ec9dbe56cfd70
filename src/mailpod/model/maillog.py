"""What the logs of main and of accounts tell of messages: of a line, the one thing that happened."""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "came",
    "submitted",
    "named",
    "queued",
    "sent",
    "deferred",
    "bounced",
    "refused",
    "held",
    "released",
    "expired",
    "reported",
    "removed",
    "judged",
    "filed",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a message.

    Attributes:
        at: when, as the engine noted it (RFC 3339, UTC).
        kind: `came` over SMTP, or was `submitted` by a program or by Postfix itself, which has requeued it; its
            Message-ID was `named`; it was `queued`; what became of an attempt for one recipient: `sent`, `deferred` or
            `bounced`; it was `refused`, or `held` back and `released`; it `expired`, its sender was `reported` to, it
            was `removed`; Rspamd has `judged` it; Dovecot has `filed` it.
        queue_id: empty when it was refused before it had one, and when Dovecot tells.
        service: who tells, as master.cf(5) and `syslog_name` call it, e.g. `relay/smtp`.
        sender: its envelope's, where the line has it.
        recipient: whom the line is about.
        original: the same, before aliases.
        peer: the other side, e.g. `mx.example.org[192.0.2.1]:25`.
        login: who had logged in; for what was `submitted`, the number of the Unix user.
        link: another queue id: the one it has at the other side, the one it had before, or that of the report. For what
            is delivered by Dovecot, the session.
        text: what was said; for `named` the Message-ID, for `filed` what was done, for `judged` the
            points, of how many.
        folder: where Dovecot has put it; empty when a filter has done something else with it.
        verdict: what Rspamd wants done, in its own words, e.g. `no action`.
    """

    at: str
    kind: Kind
    queue_id: str
    service: str = ""
    sender: str = ""
    recipient: str = ""
    original: str = ""
    peer: str = ""
    login: str = ""
    link: str = ""
    text: str = ""
    folder: str = ""
    verdict: str = ""


# enable_long_queue_ids: seconds, microseconds and the number of the file (postconf(5)).
_ID = r"[0-9A-Za-z]{11,20}"
_POSTFIX = re.compile(rf"[A-Z][a-z]{{2}} [ \d]\d [\d:]{{8}} \S+ postfix/([\w/-]+)\[\d+\]: ({_ID}|NOQUEUE): (.*)")
_ATTEMPT = re.compile(
    r"to=<(?P<to>.*?)>, (?:orig_to=<(?P<original>.*?)>, )?relay=(?P<relay>\S+), "
    r".*?status=(?P<status>sent|deferred|bounced) \((?P<text>.*)\)$"
)
_TAKEN_AS = re.compile(rf"queued as ({_ID})$|(\S+) Saved$")
_CAME = re.compile(r"client=([^,]+)(?:.*, sasl_username=(\S+))?")
_SUBMITTED = re.compile(rf"uid=(\d+) from=<(.*?)>(?: orig_id=({_ID}))?")
_REFUSED = re.compile(
    r"(?:milter-)?(?P<how>reject|hold): \S+ from (?P<peer>[^ ]+\]): (?P<text>.*?);"
    r"(?: from=<(?P<sender>.*?)>)?(?: to=<(?P<to>.*?)>)?(?: proto=| sasl_| helo=|$)"
)
_PLAIN: dict[str, Kind] = {
    "removed": "removed",
    "removed (canceled)": "removed",
    "placed on hold": "held",
    "released from hold": "released",
}
_REPORTED = re.compile(rf"sender (?:non-delivery|delivery status|delay) notification: ({_ID})")
# Greedy: what a sender has written stands before.
_JUDGED = re.compile(r".*, qid: <(\w+)>, .*?\(default: \w \(([a-z ]+)\): \[(-?[\d.]+)/(-?[\d.]+)\]")
_FILED = re.compile(r"\S+ +\d+ \S+ lmtp\(.*?\)<\d+><([^>]+)>: Info: sieve: msgid=.*: (.*)")
_FOLDER = re.compile(r"stored mail into mailbox '(.*)'$")


def parse(line: str) -> Event | None:
    """What a line tells of a message.

    Args:
        line: with the engine's time before it.

    Returns:
        None for all lines that tell of something else.
    """
    at, _, said = line.rstrip().partition(" ")
    if "postfix/" in said:
        found = _POSTFIX.match(said)
        return _postfix(at, found[1], found[2].replace("NOQUEUE", ""), found[3]) if found else None
    if "rspamd_task_write_log" in said:
        found = _JUDGED.match(said)
        return (
            Event(at, "judged", found[1], "rspamd", verdict=found[2], text=f"{found[3]} of {found[4]}")
            if found
            else None
        )
    if " lmtp(" in said:
        return _filed(at, said)
    return None


def _filed(at: str, said: str) -> Event | None:
    found = _FILED.match(said)
    if not found:
        return None
    folder = _FOLDER.match(found[2])
    return Event(at, "filed", "", "lmtp", link=found[1], text=found[2], folder=folder[1] if folder else "")


def _postfix(at: str, service: str, queue_id: str, said: str) -> Event | None:
    if said.startswith("to=<"):
        return _attempt(at, service, queue_id, said)
    if said.startswith("message-id="):
        return Event(at, "named", queue_id, service, text=said.removeprefix("message-id="))
    if said.startswith("from=<"):
        return _from(at, service, queue_id, said)
    if plain := _PLAIN.get(said):
        return Event(at, plain, queue_id, service)
    if found := _CAME.match(said):
        return Event(at, "came", queue_id, service, peer=found[1], login=found[2] or "")
    if found := _SUBMITTED.match(said):
        return Event(at, "submitted", queue_id, service, sender=found[2], login=found[1], link=found[3] or "")
    if found := _REPORTED.match(said):
        return Event(at, "reported", queue_id, service, link=found[1])
    if found := _REFUSED.match(said):
        kind: Kind = "held" if found["how"] == "hold" else "refused"
        sender, to = found["sender"] or "", found["to"] or ""
        return Event(at, kind, queue_id, service, sender, to, peer=found["peer"], text=found["text"])
    return None


def _from(at: str, service: str, queue_id: str, said: str) -> Event:
    sender, _, rest = said.removeprefix("from=<").partition(">, ")
    return Event(at, "expired" if "expired, returned to sender" in rest else "queued", queue_id, service, sender)


def _attempt(at: str, service: str, queue_id: str, said: str) -> Event | None:
    found = _ATTEMPT.match(said)
    if not found:
        return None
    kind: Kind = {"sent": "sent", "deferred": "deferred"}.get(found["status"], "bounced")  # type: ignore[assignment]
    taken = _TAKEN_AS.search(found["text"]) if kind == "sent" else None
    return Event(
        at,
        kind,
        queue_id,
        service,
        recipient=found["to"],
        original=found["original"] or "",
        peer=found["relay"],
        link=(taken[1] or taken[2]) if taken else "",
        text=found["text"],
    )
