"""Messages in an mbox of the kind "mboxrd": what could be taken for the beginning of the next has one more `>`."""

import calendar
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_BEGINNING = b"From "
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_UNQUOTED = re.compile(rb"^(>*From )", re.MULTILINE)
_STATUS = re.compile(rb"^(?:X-)?Status:.*\n(?:[ \t].*\n)*", re.MULTILINE | re.IGNORECASE)
_DATE = re.compile(rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} (?:[+-][0-9]{4} |[A-Z]{1,5} )?[0-9]{4}")
_LETTERS = {"R": "A", "F": "F", "D": "T", "T": "D"}
"""What Maildir has as a flag, and X-Status as a letter."""


@dataclass(frozen=True)
class Letter:
    """One message.

    Attributes:
        content: its bytes.
        flags: as in a Maildir.
        when: it arrived, in seconds since 1970.
    """

    content: bytes = field(repr=False)
    flags: str
    when: int


def joined(letter: Letter) -> bytes:
    """A message as an mbox has it, with what follows it."""
    head, body = _halves(letter.content.replace(b"\r\n", b"\n"))
    seen = b"RO" if "S" in letter.flags else b"O"
    marks = "".join(_LETTERS.get(flag, "") for flag in letter.flags).encode()
    status = b"Status: " + seen + b"\n" + (b"X-Status: " + marks + b"\n" if marks else b"")
    text = status + _STATUS.sub(b"", head) + body
    beginning = b"From MAILER-DAEMON " + time.asctime(time.gmtime(letter.when)).encode() + b"\n"
    return beginning + _UNQUOTED.sub(rb">\1", text) + (b"\n" if text.endswith(b"\n") else b"\n\n")


def split(lines: Iterable[bytes]) -> Iterator[Letter]:
    """The messages of an mbox.

    Args:
        lines: all of it, each with its end.

    Raises:
        ValueError: it does not begin as an mbox does.
    """
    beginning, gathered, blank = b"", list[bytes](), True
    for line in lines:
        if blank and line.startswith(_BEGINNING):
            if beginning:
                yield _letter(beginning, gathered)
            beginning, gathered = line, []
        elif not beginning:
            raise ValueError("it does not begin with a line From")
        else:
            gathered.append(line)
        blank = line in {b"\n", b"\r\n"}
    if beginning:
        yield _letter(beginning, gathered)


def _letter(beginning: bytes, lines: list[bytes]) -> Letter:
    if lines and lines[-1] in {b"\n", b"\r\n"}:
        # It belongs to the mbox.
        lines.pop()
    head, body = _halves(b"".join(lines))
    status = b"".join(_STATUS.findall(head)).decode("ascii", "replace")
    marks = "".join(line.partition(":")[2] for line in status.splitlines() if line.upper().startswith("X-"))
    seen = any("R" in line.partition(":")[2] for line in status.splitlines() if line.upper().startswith("STATUS"))
    flags = {flag for flag, letter in _LETTERS.items() if letter in marks} | ({"S"} if seen else set())
    content = _QUOTED.sub(rb"\1", _STATUS.sub(b"", head) + body)
    return Letter(content, "".join(sorted(flags)), _when(beginning))


def _halves(content: bytes) -> tuple[bytes, bytes]:
    """A message's header, and its body with the empty line before it."""
    end = re.search(rb"^\r?\n", content, re.MULTILINE)
    at = end.start() if end else len(content)
    return content[:at], content[at:]


def _when(beginning: bytes) -> int:
    found = _DATE.search(beginning)
    if not found:
        return 0
    words = found[0].decode().split()
    try:
        moment = calendar.timegm(time.strptime(" ".join([*words[:4], words[-1]]), "%a %b %d %H:%M:%S %Y"))
    except ValueError:
        return 0
    zone = words[4] if len(words) == 6 and words[4][0] in "+-" else "+0000"
    offset = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
    return moment - offset if zone[0] == "+" else moment + offset
