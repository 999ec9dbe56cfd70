"""`mailpod dns secondary …`: name servers elsewhere that keep a copy of the zone."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model import secondary
from mailpod.model.secondary import ALGORITHM

if TYPE_CHECKING:
    from mailpod.services.secondaries import SecondaryView

app = typer.Typer(help="Name servers elsewhere that keep a copy of the zone.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its host name, such as ns2.example.net.", show_default=False)]


@app.command()
def add(
    name: Name,
    addresses: Annotated[list[str], typer.Argument(help="Where it is told of changes.", show_default=False)],
    json: Json = False,
) -> None:
    """Let a name server have the zone; print what it has to be told."""
    from mailpod.services import secondaries

    _tell(secondaries.add(context(), name, tuple(addresses)), json=json)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Print what a name server has to be told to be a secondary: its key, and the configuration of BIND and Knot."""
    from mailpod.services import secondaries

    _tell(secondaries.view(context(), name), json=json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the secondary name servers."""
    system = context().system
    if json:
        output.document([{"name": name, "addresses": list(where)} for name, where in system.secondaries.items()])
        return
    output.table(("NAME", "ADDRESSES"), ((name, ", ".join(where)) for name, where in system.secondaries.items()))


@app.command()
def delete(name: Name, json: Json = False) -> None:
    """Let a name server have the zone no more."""
    from mailpod.services import secondaries

    host = secondaries.delete(context(), name)
    if json:
        output.document({"name": host})


def _tell(view: "SecondaryView", *, json: bool) -> None:
    if json:
        output.document(_as_json(view))
        return
    one = view.secondary
    told = (view.zone, view.primaries, one)
    output.line(f"# BIND, named.conf\n{secondary.for_bind(*told)}")
    output.line(f"# Knot DNS, knot.conf\n{secondary.for_knot(*told)}")
    if not view.primaries:
        output.note("the address of this machine is not known: put it where the primaries are, and see: mailpod up -h")
    output.note(f"one of them is for {one.name}; the parent zone needs {one.name} as one more NS record")


def _as_json(view: "SecondaryView") -> dict[str, Any]:
    one = view.secondary
    told = (view.zone, view.primaries, one)
    return {
        "name": one.name,
        "addresses": list(one.addresses),
        "zone": view.zone,
        "primaries": [{"address": address, "port": port} for address, port in view.primaries],
        "key": {"name": one.name, "algorithm": ALGORITHM, "secret": one.secret},
        "bind": secondary.for_bind(*told),
        "knot": secondary.for_knot(*told),
    }
