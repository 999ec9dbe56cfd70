"""`mailpod engine …`: what runs the system."""

from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.model.records import EngineKind
from mailpod.services import migrating

app = typer.Typer(help="What runs the system: one Docker Engine, or several as a Swarm.", no_args_is_help=True)

Advertise = Annotated[
    str | None,
    typer.Option(help="Address of this machine for others, where a Swarm has to be made.", show_default=False),
]


@app.callback()
def group() -> None:
    """What runs the system: one Docker Engine, or several as a Swarm."""


@app.command()
def migrate(
    to: Annotated[EngineKind, typer.Argument(help="What is to run it.", show_default=False)],
    advertise_addr: Advertise = None,
) -> None:
    """Bring the running system to a Swarm of this machine, or back to its Docker Engine alone, with all mail."""
    if to == "docker":
        if advertise_addr:
            raise InvalidInput("--advertise-addr is for a Swarm", "leave it out")
        migrating.to_docker(context())
        output.line("one Docker Engine runs it; the Swarm is there still, and ends with: docker swarm leave --force")
        return
    migrating.to_swarm(context(), advertise_addr or "")
    output.line("a Swarm runs it; add machines with: mailpod node add USER@ADDRESS")
