"""What the doctor finds."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""Mail suffers from it; it may, some day; it is good to know."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

Repair = Literal["", "modes", "owners", "network", "limits", "apply"]
"""What the doctor can do about it, empty for nothing; each is described where it is done."""
REPAIRS: tuple[Repair, ...] = ("modes", "owners", "network", "limits", "apply")
"""In the order in which they are done."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: one line.
        where: the container, volume, file or machine.
        do: the command to give, or what else to do.
        repair: how the doctor itself does it.
        subject: what the repair needs to know, such as an account's id; the same as `where` when empty.
        check: which check has found it.
    """

    severity: Severity
    what: str
    where: str
    do: str
    repair: Repair = ""
    subject: str = ""
    check: str = ""

    @property
    def wrong(self) -> bool:
        """Whether something should be done about it."""
        return self.severity != "note"

    @property
    def identity(self) -> tuple[str, str]:
        """The same for a finding that is made a second time."""
        return self.what, self.where


def ordered(findings: list[Finding]) -> list[Finding]:
    """The worst first, and each once."""
    once = {one.identity: one for one in reversed(findings)}
    return sorted(once.values(), key=lambda one: (SEVERITIES.index(one.severity), one.check, one.where, one.what))
