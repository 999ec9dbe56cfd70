"""`mailpod metrics`: numbers for Prometheus."""

from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli.state import context


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command()(metrics)


def metrics(
    to: Annotated[
        Path | None,
        typer.Option(
            help="File to replace, e.g. in the folder of node_exporter's textfile collector.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the system's numbers in the text format of Prometheus."""
    from mailpod.services import metrics as service

    if to:
        service.write(context(), to)
    else:
        print(service.text(context()), end="")
