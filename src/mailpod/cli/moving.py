"""`mailpod account move` and `recover`: to another machine, to another system, back from a file."""

from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.account import Known, as_json
from mailpod.cli.node import complete_node
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.services import filing, moving, recovering


def register(app: typer.Typer) -> None:
    """Add the commands to those of accounts."""
    for command in (move, recover):
        app.command()(command)


def move(
    name: Known,
    node: Annotated[
        str | None,
        typer.Option(help="Machine of the Swarm that it goes to.", show_default=False, autocompletion=complete_node),
    ] = None,
    to_file: Annotated[
        Path | None, typer.Option(help="Write it to this file, and delete it here.", show_default=False)
    ] = None,
    from_file: Annotated[Path | None, typer.Option(help="Make it of what is in this file.", show_default=False)] = None,
    keep: Annotated[bool, typer.Option("--keep", help="With --to-file: it goes on here.")] = False,
    json: Json = False,
) -> None:
    """Move an account to another machine, or by a file to another system; its mail waits meanwhile."""
    if to_file and not (node or from_file):
        account = filing.to_file(context(), name, to_file, keep=keep)
        if json:
            output.document({"name": account.name, "id": account.id, "file": str(to_file), "kept": keep})
        elif not keep:
            output.note(f"it is deleted here; bring it back with: mailpod account undelete {account.name}")
        return
    if to_file or keep:
        raise InvalidInput("--to-file goes with --keep alone, and --keep with it", "see: mailpod account move --help")
    if from_file:
        view = filing.from_file(context(), name, from_file, node)
    elif node:
        view = moving.move(context(), name, node)
    else:
        raise InvalidInput("where to?", "give --node NODE, --to-file FILE or --from-file FILE")
    if json:
        output.document(as_json(view))


def recover(
    name: Known,
    node: Annotated[
        str,
        typer.Option(help="Machine of the Swarm to bring it up on.", show_default=False, autocompletion=complete_node),
    ],
    from_file: Annotated[
        Path | None,
        typer.Option(help="What `account move --to-file --keep` has written, instead of a backup.", show_default=False),
    ] = None,
    at: Annotated[
        str, typer.Option(help="A time, for the last backup until then, or a backup's id; the last one by default.")
    ] = "",
    json: Json = False,
) -> None:
    """Bring an account whose machine is down up on another one, from its last backup or from a file."""
    if from_file and at:
        raise InvalidInput("--at is for backups", "leave it out, or --from-file")
    view = recovering.recover(context(), name, node, from_file, at)
    if json:
        output.document(as_json(view))
        return
    kept = ", ".join(view.account.kept)
    output.note(f"what came after that is on {kept} alone; that copy is kept there and does not run")
