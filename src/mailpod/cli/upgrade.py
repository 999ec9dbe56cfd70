"""`mailpod upgrade` and `mailpod rollback`: newer images, one account after another."""

from dataclasses import asdict
from typing import Annotated

import typer

from mailpod.cli import output
from mailpod.cli.account import complete_name
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.services import upgrading


def register(app: typer.Typer) -> None:
    """Add the commands to the top level."""
    for command in (upgrade, rollback):
        app.command()(command)


def upgrade(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Accounts to upgrade, or main; main and all accounts by default.",
            show_default=False,
            autocompletion=complete_name,
        ),
    ] = None,
    canary: Annotated[
        str,
        typer.Option(help="The account that goes first.", show_default=False, autocompletion=complete_name),
    ] = "",
    packages: Annotated[
        bool, typer.Option("--packages", help="Build the images anew first, with Debian's packages of now.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring main and the accounts to this version's images, one by one; what does not work goes back by itself."""
    done = upgrading.upgrade(context(), names or [], canary, packages=packages)
    if json:
        output.document([asdict(one) for one in done])
    elif done:
        output.table(("NAME", "IMAGE", "BEFORE"), ((one.name, one.image, one.before) for one in done))
    else:
        output.note("everything is on the newest images already")


def rollback(
    name: Annotated[
        str, typer.Argument(help="Name of the account, or main.", show_default=False, autocompletion=complete_name)
    ],
    json: Json = False,
) -> None:
    """Bring an account, or main, back to the image it was on before."""
    done = upgrading.rollback(context(), name)
    if json:
        output.document(asdict(done))
    else:
        output.fields([("image", done.image)])
