"""`mailpod account export`, `import` and `clone`: mail that leaves, comes, or is there twice."""

from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli import output, parse
from mailpod.cli.account import Expires, Known, Name, OtherStack, Quota, Stdin, tell_of_new
from mailpod.cli.node import complete_node
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.model.imap_source import ImapSource
from mailpod.services import cloning, exporting, fetching, importing
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
    source: Annotated[str, typer.Argument(metavar="FILE", help="File with mail; with --from, the account.")],
    as_: Annotated[str | None, typer.Option("--as", help="Name of the account.", show_default=False)] = None,
    stack: OtherStack = None,
    quota: Quota = None,
    node: Node = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL", help="imaps://USER@HOST: copy what is there into an account.", show_default=False
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="With --from: PEM file of that server's authority.", show_default=False)
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="With --from: read the password there from standard input.")
    ] = False,
    except_: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="FOLDER", help="Folder to leave out; * is anything.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make an account of the mail in a file, or bring the mail of another server into one; see docs/operator.md."""
    if from_:
        if as_ or stack or quota or node:
            raise InvalidInput("--from is for an account that is there", "make it first: mailpod account create NAME")
        _fetch(source, ImapSource.parse(from_), ca, except_ or [], password_stdin=password_stdin, json=json)
        return
    if ca or password_stdin:
        raise InvalidInput("--ca and --password-stdin go with --from", "see: mailpod account import --help")
    limits = parse.limits(quota_=quota)
    password = generate_password()
    made = importing.from_file(
        context(), Path(source), as_, password, stack=stack, node=node, without=except_ or [], **limits
    )
    tell_of_new(made, password, told=True, json=json)


def _fetch(
    name: str, source: ImapSource, ca: Path | None, without: list[str], *, password_stdin: bool, json: bool
) -> None:
    authority = parse.authority(ca) if ca else ""
    password = parse.only_line() if password_stdin else parse.asked_password(f"Password of {source.user}: ")
    found = fetching.fetch(context(), name, source, password, authority, without)
    if json:
        output.document({"name": name.lower(), "folders": found.folders, "messages": found.messages})
    else:
        output.note(f"{found.messages} messages copied, {found.folders} folders are up to date")


def clone(
    name: Known,
    new: Name,
    password_stdin: Stdin = False,
    node: Node = None,
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Make a second account with the mail, files and filters of one, which runs on."""
    limits = parse.limits(expires=expires)
    password = parse.password_line() if password_stdin else generate_password()
    made = cloning.clone(context(), name, new, password, node=node, **limits)
    tell_of_new(made, password, told=not password_stdin, json=json)
