"""`mailpod account app-password …`: a password for each app, which can be taken away alone."""

from typing import Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.account import Known
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.passwords import AppPassword, Scope
from mailpod.services import app_passwords

app = typer.Typer(help="Add, list and revoke passwords for single apps.", no_args_is_help=True)

Label = Annotated[str, typer.Argument(help="Name of the app password, e.g. phone.", show_default=False)]
ScopeName = Annotated[Scope, typer.Option(help="What it opens: the mailbox, sending, or both.")]


def as_json(one: AppPassword) -> dict[str, Any]:
    """An app password as a JSON object."""
    return {
        "name": one.name,
        "scope": one.scope,
        "created": one.created.isoformat(),
        "last_use": one.last_use and one.last_use.isoformat(),
    }


@app.command()
def add(name: Known, label: Label, scope: ScopeName = "all", json: Json = False) -> None:
    """Make a password for one app, used with the account's login."""
    made, password = app_passwords.add(context(), name, label, scope)
    if json:
        output.document(as_json(made) | {"password": password})
        return
    output.fields([("login", name.lower()), ("password", f"{password}   (shown once)"), ("opens", made.scope)])


@app.command("list")
def list_(name: Known, json: Json = False) -> None:
    """List an account's app passwords, with their last use."""
    found = [as_json(one) for one in app_passwords.views(context(), name)]
    if json:
        output.document(found)
        return
    output.table(
        ("NAME", "SCOPE", "CREATED", "LAST USE"),
        ((one["name"], one["scope"], one["created"], one["last_use"] or "never") for one in found),
    )


@app.command()
def revoke(name: Known, label: Label, json: Json = False) -> None:
    """Take an app password away; the mailbox's open sessions end."""
    gone = app_passwords.revoke(context(), name, label)
    if json:
        output.document({"name": gone})
