"""`mailpod account restore`: an account, a folder or a message from a backup."""

from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.account import as_json, complete_name
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.services import restoring, restoring_messages


def register(app: typer.Typer) -> None:
    """Add the command to those of accounts."""
    app.command()(restore)


def restore(
    name: Annotated[str, typer.Argument(help="Name of the account.", show_default=False, autocompletion=complete_name)],
    at: Annotated[
        str, typer.Option(help="A time, for the last backup until then, or a backup's id; the last one by default.")
    ] = "",
    as_: Annotated[
        str | None, typer.Option("--as", help="Make another account of it, with this name.", show_default=False)
    ] = None,
    folder: Annotated[str, typer.Option(help="Only this folder's messages, into the folder Restored.")] = "",
    message_id: Annotated[
        str, typer.Option("--message-id", help="Only the message with this Message-ID, into the folder Restored.")
    ] = "",
    json: Json = False,
) -> None:
    """Bring an account back as it was at a backup; what it is now is kept as a deleted account."""
    here = context()
    if folder or message_id:
        if as_:
            raise InvalidInput("--as is for the whole account", "leave it out, or --folder and --message-id")
        count = restoring_messages.restore_messages(here, name, at, folder, message_id)
        if json:
            output.document({"name": name.lower(), "folder": "Restored", "messages": count})
        else:
            output.note(f"{count} messages are new in the folder Restored of {name.lower()}")
        return
    view = restoring.restore_as(here, name, as_, at) if as_ else restoring.restore(here, name, at)
    if json:
        output.document(as_json(view))
    elif not as_:
        output.note("what it was until now is kept as a deleted account; see: mailpod account deleted")
