"""`mailpod account export`, `import` and `clone`: mail that leaves, comes, or is there twice."""

from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli import output, parse
from mailpod.cli.account import Expires, Json, Known, Name, OtherStack, Quota, Stdin, tell_of_new
from mailpod.cli.node import complete_node
from mailpod.cli.state import context
from mailpod.services import cloning, exporting, importing
from mailpod.services.export_file import Form
from mailpod.services.passwords import generate_password

Node = Annotated[
    str | None,
    typer.Option(
        help="Machine of a Swarm; the one with most room by default.", show_default=False, autocompletion=complete_node
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to those of accounts."""
    app.command()(export)
    app.command("import")(import_)
    app.command()(clone)


def export(
    name: Known,
    file: Annotated[Path, typer.Argument(help="File to write, a tar; packed if it ends with .gz.", show_default=False)],
    form: Annotated[Form, typer.Option("--format", help="What mail is written as.")] = "maildir",
    json: Json = False,
) -> None:
    """Write an account's mail and files to one file that needs no mailpod to be read; the account runs on."""
    made = exporting.export(context(), name, file, form)
    if json:
        output.document({"name": made.account.name, "file": str(file), "format": form, "messages": made.messages})
    else:
        output.note(f"{made.messages} messages are in {file}; see README.txt in it")


def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="File with mail.", show_default=False)],
    as_: Annotated[str | None, typer.Option("--as", help="Name of the account.", show_default=False)] = None,
    stack: OtherStack = None,
    quota: Quota = None,
    node: Node = None,
    json: Json = False,
) -> None:
    """Make an account of the mail in a file: an export, a tar of a Maildir or of mbox files, or an mbox."""
    limits = parse.limits(None, None, None, None, quota, internet=None, messages_per_hour=None)
    password = generate_password()
    made = importing.from_file(context(), source, as_, password, stack=stack, node=node, **limits)
    tell_of_new(made, password, told=True, json=json)


def clone(
    name: Known,
    new: Name,
    password_stdin: Stdin = False,
    node: Node = None,
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Make a second account with the mail, files and filters of one, which runs on."""
    limits = parse.limits(None, None, None, None, None, internet=None, messages_per_hour=None, expires=expires)
    password = parse.password_line() if password_stdin else generate_password()
    made = cloning.clone(context(), name, new, password, node=node, **limits)
    tell_of_new(made, password, told=not password_stdin, json=json)
