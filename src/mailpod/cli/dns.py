"""`mailpod dns …`: the organisation's zone."""

from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.state import context
from mailpod.model.zone import TTL
from mailpod.services import dns

app = typer.Typer(help="The organisation's DNS zone.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback()
def _group() -> None:
    """The organisation's DNS zone."""


@app.command()
def show(json: Json = False) -> None:
    """Print every record that the domain needs, as a zone file, and what its parent zone needs."""
    here = context()
    system = here.system
    records = dns.records(here)
    delegation = dns.delegation(here)
    if json:
        output.document(
            {
                "zone": system.domain,
                "served": system.dns,
                "records": [
                    {"name": one.name, "type": one.kind, "ttl": TTL, "data": one.data, "required": one.required}
                    for one in records
                ],
                "ds": delegation,
            }
        )
        return
    for one in records:
        output.line(one.line())
    if system.dns == "built-in":
        output.note(f"served by {system.local_address()} port {system.dns_port()}; the parent zone needs:")
        for line in (*dns.glue(here), *(f"{system.domain}. IN DS {value}" for value in delegation)):
            output.note(f"  {line}")
    else:
        output.note("to be served by the domain's name servers: give these records to whoever runs them")
