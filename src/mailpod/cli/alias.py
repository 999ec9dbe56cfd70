"""`mailpod alias …`: shared addresses of the organisation."""

from typing import Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.state import context
from mailpod.model.records import Alias
from mailpod.services import aliases

app = typer.Typer(help="Shared addresses, such as contact@ for several people.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="contact, or contact@DOMAIN.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def as_json(alias: Alias, domain: str) -> dict[str, Any]:
    """An alias as a JSON object."""
    return {"address": f"{alias.local_part}@{domain}", "targets": list(alias.targets)}


@app.command()
def add(
    address: Address,
    targets: Annotated[list[str], typer.Argument(help="Accounts, aliases or outside addresses.", show_default=False)],
    json: Json = False,
) -> None:
    """Add an alias, or more targets to one that exists."""
    here = context()
    alias = aliases.add(here, address, targets)
    if json:
        output.document(as_json(alias, here.system.domain))


@app.command("list")
def list_(json: Json = False) -> None:
    """List the aliases."""
    here = context()
    domain = here.system.domain
    found = here.store.aliases()
    if json:
        output.document([as_json(alias, domain) for alias in found])
        return
    output.table(("ADDRESS", "TARGETS"), ((f"{a.local_part}@{domain}", ", ".join(a.targets)) for a in found))


@app.command()
def delete(address: Address, json: Json = False) -> None:
    """Delete an alias."""
    here = context()
    local_part = aliases.delete(here, address)
    if json:
        output.document({"address": f"{local_part}@{here.system.domain}"})
