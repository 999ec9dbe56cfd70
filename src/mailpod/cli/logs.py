"""`mailpod logs` and `mailpod trace`: what was said, and where a message is."""

import contextlib
import re
from dataclasses import asdict
from typing import Annotated

import typer

from mailpod.cli import output, parse
from mailpod.cli.account import complete_name
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput, NotFound
from mailpod.model.journey import Journey
from mailpod.model.records import now

_SHOWN = 50
_LAST = 200
# syslog's own time and host, which are the engine's.
_HEAD = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:\S+ (?=postfix/))?")


def register(app: typer.Typer) -> None:
    """Add the commands to the top level."""
    for command in (logs, trace):
        app.command()(command)


def logs(
    name: Annotated[str, typer.Argument(help="An account; main by default.", autocompletion=complete_name)] = "main",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is said from now on.")] = False,
    since: Annotated[str | None, typer.Option(help="How far back, e.g. 30m, 12h or 7d.", show_default=False)] = None,
    lines: Annotated[
        int | None,
        typer.Option(min=1, help=f"How many at most; {_LAST} unless --since is given.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Show what main or an account has logged."""
    from mailpod.services.logs import Logs, account_or_main

    if follow and since:
        raise InvalidInput("--follow begins with the last --lines, not with a time", "leave out --since")
    if follow and json:
        raise InvalidInput("what --follow shows has no end, and a JSON document has one", "leave out --follow")
    start = now() - parse.duration(since) if since else None
    here = context()
    account = account_or_main(here, name)
    said = Logs(here)
    last = _LAST if lines is None and not since else lines
    if json:
        output.document(
            [dict(zip(("at", "text"), _told(line), strict=True)) for line in said.read(account, start, last)]
        )
        return
    # Control-C is how one ends it.
    with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
        for line in said.follow(account, last or _LAST) if follow else said.read(account, start, last):
            at, text = _told(line)
            output.line(f"{output.local_time(at)} {output.foreign(text)}")


def _told(line: str) -> tuple[str, str]:
    """The engine's time of a line, and what was said without what it repeats of that."""
    at, _, text = line.partition(" ")
    return at, _HEAD.sub("", text, count=1)


def trace(
    what: Annotated[
        str,
        typer.Argument(metavar="ADDRESS|MESSAGE-ID|QUEUE-ID", help="Whose mail, or which message.", show_default=False),
    ],
    since: Annotated[str, typer.Option(help="How far back, e.g. 30m, 12h or 7d.")] = "24h",
    json: Json = False,
) -> None:
    """Follow messages from outside to the mailbox, or from an account to outside."""
    from mailpod.services.tracing import trace as follow

    if not what.strip("<> "):
        raise InvalidInput("which message?", "give an address, a Message-ID or a queue id")
    start = now() - parse.duration(since)
    found = follow(context(), what, start)
    if json:
        output.document([_as_json(journey) for journey in found])
    if not found:
        raise NotFound(
            f"nothing in the logs of the last {since} tells of {what}", "look further back with --since, e.g. 7d"
        )
    if json:
        return
    if len(found) > _SHOWN:
        output.note(f"{len(found)} messages; these are the last {_SHOWN}. Show fewer by --since, all by --json")
    for journey in found[-_SHOWN:]:
        _show(journey)


def _as_json(journey: Journey) -> dict[str, object]:
    told = asdict(journey)
    del told["elements"]
    return told


def _show(journey: Journey) -> None:
    sender = journey.sender or "nobody (a report, or an answer by itself)"
    output.line(output.foreign(f"{journey.message_id or 'a message that was not taken'} from {sender}"))
    for step in journey.steps:
        where = f"{step.element}:{step.queue_id}" if step.queue_id else step.element
        output.line(output.foreign(f"  {output.local_time(step.at)}  {where:<22}  {step.what}"))
    for outcome in journey.outcomes:
        recipient = f"{outcome.recipient}: " if outcome.recipient else ""
        output.line(output.foreign(f"  → {recipient}{outcome.text}"))
    output.line("")
