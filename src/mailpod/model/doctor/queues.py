"""Mail that waits for longer than it should."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from mailpod.model.doctor.finding import Finding

_HOUR = 3600
_LONGEST = 160


def of_queue(
    element: str, said: bytes, now: datetime, patience: timedelta, frozen: Collection[str] = ()
) -> Iterator[Finding]:
    """What has been in a queue for long, a finding for each reason.

    Args:
        element: `main`, or the account whose queue it is.
        said: what `postqueue -j` prints (postqueue(1)).
        frozen: domains whose mail is on hold, as it should be.
    """
    waiting: dict[str, list[float]] = {}
    for line in said.splitlines():
        if not line.strip():
            continue
        entry = json.loads(line)
        recipients = entry["recipients"]
        held = entry.get("queue_name") == "hold"
        of_frozen = any(one["address"].rpartition("@")[2] in frozen for one in recipients)
        age = now.timestamp() - entry["arrival_time"]
        if age < patience.total_seconds() or (held and of_frozen):
            continue
        reason = next((one["delay_reason"] for one in recipients if one.get("delay_reason")), "no try has been made")
        waiting.setdefault("it is on hold" if held else reason, []).append(age)
    for reason, ages in waiting.items():
        told = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
        what = f"{len(ages)} messages wait in {element}, the oldest for {max(ages) / _HOUR:.0f} h: {told}"
        yield Finding("warning", what, element, "see the reason, and: mailpod queue list")
