"""`mailpod alias …`: shared addresses of the organisation."""

from typing import Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.services import aliases
from mailpod.services.aliases import AliasView

app = typer.Typer(help="Shared addresses, such as contact@ for several people.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="contact, or contact@DOMAIN.", show_default=False)]


def as_json(view: AliasView) -> dict[str, Any]:
    """An alias as a JSON object."""
    return {"address": view.address, "targets": list(view.targets), "send": view.send}


@app.command()
def add(
    address: Address,
    targets: Annotated[list[str], typer.Argument(help="Accounts, aliases or outside addresses.", show_default=False)],
    send: Annotated[
        bool | None,
        typer.Option("--send/--no-send", help="Whether its accounts may write as it.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Add an alias, or more targets to one that exists."""
    view = aliases.add(context(), address, targets, send=send)
    if json:
        output.document(as_json(view))


@app.command("list")
def list_(json: Json = False) -> None:
    """List the aliases."""
    found = aliases.views(context())
    if json:
        output.document([as_json(view) for view in found])
        return
    output.table(
        ("ADDRESS", "TARGETS", "SEND"),
        ((view.address, ", ".join(view.targets) or "(all deleted)", "yes" if view.send else "no") for view in found),
    )


@app.command()
def delete(address: Address, json: Json = False) -> None:
    """Delete an alias."""
    here = context()
    local_part = aliases.delete(here, address)
    if json:
        output.document({"address": f"{local_part}@{here.system.domain}"})
