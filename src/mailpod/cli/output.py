"""What people see: progress and errors on standard error, results on standard output."""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from mailpod.model.errors import MailpodError


def progress(line: str) -> None:
    """Tell what is being done."""
    note(f"· {line}")


def ask(question: str) -> None:
    """Put a question to the person at the terminal."""
    print(question, end="", file=sys.stderr, flush=True)


def note(line: str) -> None:
    """Say something that is not the result; there may be words of an account's or of another server's in it."""
    # A terminal that was closed must not keep the work, or its undoing, from its end.
    with contextlib.suppress(OSError):
        print("\n".join(map(foreign, line.split("\n"))), file=sys.stderr, flush=True)


def error(problem: MailpodError) -> None:
    """One line what was wrong, one line what to do next."""
    note(f"mailpod: {problem.what}")
    if problem.hint:
        note(f"  {problem.hint}")


def line(text: str) -> None:
    """Print a line of the result."""
    print(text, flush=True)


def foreign(text: str) -> str:
    """Somebody else's text as a terminal may show it: whatever else would be a command to it is a `?`."""
    return "".join(one if one.isprintable() or one == "\t" else "?" for one in text)


def local_time(at: str) -> str:
    """A time of an engine's or ours (RFC 3339) in this machine's zone, to the second; as it is if it is none."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return at


def document(data: Any) -> None:  # noqa: ANN401  (whatever JSON can hold)
    """Print one JSON document."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: with lines and colours on a terminal, tab-separated elsewhere."""
    if not (sys.stdout and sys.stdout.isatty()):
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    grid = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        grid.add_row(*(_coloured(cell) for cell in row))
    Console().print(grid)


def fields(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line."""
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        print(f"{name:{width}}  {value}")


def size(count: int) -> str:
    """A number of bytes for people, e.g. `5.4 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


_COLOURS = {
    "running": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "unhealthy": "red",
    "stopped": "red",
    "frozen": "blue",
}


def _coloured(cell: str) -> str:
    from rich.markup import escape

    colour = _COLOURS.get(cell, "red" if cell == "missing" else "")
    return f"[{colour}]{cell}[/]" if colour else escape(cell)
