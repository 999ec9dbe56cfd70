"""What `dns check` says of one thing."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "missing", "wrong", "unknown"]


@dataclass(frozen=True)
class Answer:
    """One set of records, or something else that others see, as it should be and as it is.

    Attributes:
        name: its owner, without the final dot; or an address.
        kind: its type; or a port.
        verdict: `unknown` when nobody told.
        wanted: values that should be there.
        found: values that are there.
        required: mail does not work without.
        hint: what to do, if anything.
    """

    name: str
    kind: str
    verdict: Verdict
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    required: bool
    hint: str = ""
