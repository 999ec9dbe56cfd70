"""`mailpod rebuild`: a state folder that was lost."""

from dataclasses import asdict
from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context


def rebuild(
    domain: Annotated[
        str | None,
        typer.Argument(help="The system's domain, where main has kept nothing of it.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Write what the state folder lacks, from the volumes of the system, and bring the system up with it."""
    from mailpod.services import rebuilding

    done = rebuilding.rebuild(context(), domain)
    if json:
        output.document(asdict(done))
        return
    output.line(f"on record again: {', '.join(done.accounts) or 'no account'}")
    if done.deleted:
        output.line(f"deleted, and kept: {', '.join(done.deleted)}")
    for line in done.unknown:
        output.line(f"could not be known: {line}")
