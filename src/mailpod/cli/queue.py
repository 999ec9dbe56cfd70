"""`mailpod queue …`: messages that wait."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mailpod.cli import output, parse
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.services import queues
from mailpod.services.queues import Message

app = typer.Typer(help="Messages that wait, in main and in the accounts.", no_args_is_help=True)

Of = Annotated[str, typer.Option("--of", help="Whose queue an id without a name before it is in.")]
_ID = "as `queue list` shows it, e.g. main:4bXyz1."


def as_json(message: Message) -> dict[str, Any]:
    """A message as a JSON object."""
    return {"id": message.name} | asdict(message) | {"since": message.since.isoformat()}


@app.command("list")
def list_(json: Json = False) -> None:
    """Show all that waits: where, since when, from and to whom, and why."""
    messages, silent = queues.listed(context())
    if json:
        output.document([as_json(message) for message in messages])
    else:
        output.table(("ID", "SINCE", "SIZE", "FROM", "TO", "WHY"), map(_row, messages))
    for name in silent:
        output.note(f"what waits in {name} is not known: it does not answer")


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help=f"The message, {_ID}", show_default=False)],
    of: Of = "main",
    body: Annotated[bool, typer.Option("--body", help="Show what is written in it as well.")] = False,
    json: Json = False,
) -> None:
    """Show a message: its headers, for whom it is, why it waits and until when."""
    found = queues.detail(context(), _named(id_, of), body=body)
    message = found.message
    next_try = found.next_try.isoformat() if found.next_try else ""
    if json:
        content = {} if found.body is None else {"body": found.body}
        output.document(as_json(message) | {"next_try": next_try, "headers": found.headers} | content)
        return
    output.fields(
        [
            ("id", message.name),
            ("from", output.foreign(message.sender or "<>")),
            ("to", output.foreign(", ".join(message.recipients))),
            ("since", output.local_time(message.since.isoformat())),
            ("size", output.size(message.size)),
            ("why", output.foreign(message.reason or "it is on its way")),
            ("tried next", output.local_time(next_try) if next_try else "never" if message.queue == "hold" else "now"),
        ]
    )
    for part in (found.headers, found.body or ""):
        output.line("")
        for line in part.splitlines():
            output.line(output.foreign(line))


@app.command()
def retry(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help=f"Messages, {_ID} All at first.", show_default=False)
    ] = None,
    of: Of = "main",
    json: Json = False,
) -> None:
    """Try messages again at once; what main has on hold for a frozen account stays."""
    tried = queues.retry(context(), [_named(one, of) for one in ids or ()])
    if json:
        output.document([as_json(message) for message in tried])
        return
    output.note(f"{len(tried)} messages are being tried; see what comes of it with: mailpod queue list")


@app.command()
def drop(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help=f"Messages, {_ID}", show_default=False)],
    of: Of = "main",
    bounce: Annotated[
        bool, typer.Option("--bounce", help="Return them to their senders, who else are told nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove messages for good, without telling their senders unless --bounce."""
    here = context()
    messages = queues.named(here, [_named(one, of) for one in ids])
    what = (
        f"{messages[0].name} to {', '.join(messages[0].recipients)}"
        if len(messages) == 1
        else f"{len(messages)} messages"
    )
    parse.confirm(
        output.foreign(f"Return {what} undelivered?" if bounce else f"Destroy {what}, without telling the sender?"),
        yes=yes,
    )
    queues.drop(here, messages, bounce=bounce)
    if json:
        output.document([as_json(message) for message in messages])


def _named(text: str, of: str) -> str:
    if ":" in text and of != "main":
        raise InvalidInput(f"{text} says itself where it is", "leave out --of")
    return text if ":" in text else f"{of}:{text}"


def _row(message: Message) -> tuple[str, ...]:
    return (
        message.name,
        output.local_time(message.since.isoformat()),
        output.size(message.size),
        output.foreign(message.sender or "<>"),
        output.foreign(", ".join(message.recipients)),
        output.foreign(message.reason),
    )
