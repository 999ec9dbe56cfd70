"""`mailpod account …`: one container each."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mailpod.cli import certificate, keeping, output, parse
from mailpod.cli.node import complete_node
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.model.records import DEFAULT_STACK, NO_QUOTA, Internet, Stack
from mailpod.services import accounts, freezing, rotating
from mailpod.services.accounts import AccountView
from mailpod.services.held_images import is_old
from mailpod.services.passwords import generate_password

app = typer.Typer(help="Create, list, change and delete accounts.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the account, e.g. alice.", show_default=False)]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--ssh-key", help="File with public SSH keys that may log in.", show_default=False),
]
Memory = Annotated[str | None, typer.Option(help="Limit of memory, e.g. 256m.", show_default=False)]
Quota = Annotated[
    str | None,
    typer.Option(help="How much mail and files it may hold, e.g. 2g; none for no limit.", show_default=False),
]
Cpus = Annotated[str | None, typer.Option(help="Processors it may keep busy, e.g. 0.5.", show_default=False)]
Processes = Annotated[str | None, typer.Option(help="Limit of processes, e.g. 256.", show_default=False)]
Connections = Annotated[str | None, typer.Option(help="IMAP sessions at once, e.g. 60.", show_default=False)]
Reach = Annotated[
    Internet | None,
    typer.Option(help="What of the Internet it reaches; none: mail to accounts alone.", show_default=False),
]
PerHour = Annotated[
    int | None,
    typer.Option(
        "--messages-per-hour",
        min=1,
        max=1_000_000,
        help="How many messages it may send outside in an hour.",
        show_default=False,
    ),
]
Expires = Annotated[
    str | None,
    typer.Option(help="After what time it is deleted by itself, e.g. 7d; none for one that stays.", show_default=False),
]
StackName = Annotated[Stack, typer.Option(help="Software inside the account.")]
OtherStack = Annotated[
    Stack | None, typer.Option("--stack", help="Software inside the account; all mail is kept.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def as_json(view: AccountView) -> dict[str, Any]:
    """An account as a JSON object."""
    account = view.account
    return {
        "name": account.name,
        "address": account.canonical(view.domain),
        "short_address": account.short(view.domain),
        "fqdn": account.fqdn(view.domain),
        "ipv4": view.ipv4,
        "ipv6": view.ipv6,
        "status": view.status,
        "node": account.node,
        "kept": list(account.kept),
        "id": account.id,
        "stack": account.stack,
        "memory": account.memory,
        "cpus": account.cpus,
        "processes": account.processes,
        "connections": account.connections,
        "quota": account.quota,
        "internet": account.internet,
        "messages_per_hour": account.messages_per_hour,
        "ssh_keys": len(account.ssh_keys),
        "created": account.created.isoformat(),
        "expires": account.expires.isoformat() if account.expires else None,
        "frozen": account.frozen.isoformat() if account.frozen else None,
        "image": view.image,
        "upgrade_available": is_old(account),
        "setup_page": view.setup_page,
    }


def complete_name(incomplete: str) -> list[str]:
    """Names of accounts that begin with what was typed."""
    return [a.name for a in context().store.accounts() if a.name.startswith(incomplete)]


def complete_deleted(incomplete: str) -> list[str]:
    """Names of deleted accounts that begin with what was typed."""
    return [a.name for a in context().store.deleted() if a.name.startswith(incomplete)]


Known = Annotated[str, typer.Argument(help="Name of the account.", show_default=False, autocompletion=complete_name)]
Deleted = Annotated[
    str, typer.Argument(help="Name of the account.", show_default=False, autocompletion=complete_deleted)
]


@app.command()
def create(
    name: Name,
    password_stdin: Stdin = False,
    ssh_key: KeyFile = None,
    stack: StackName = DEFAULT_STACK,
    memory: Memory = None,
    cpus: Cpus = None,
    processes: Processes = None,
    connections: Connections = None,
    quota: Quota = None,
    internet: Reach = None,
    messages_per_hour: PerHour = None,
    expires: Expires = None,
    node: Annotated[
        str | None,
        typer.Option(
            help="Machine of a Swarm; the one with most room by default.",
            show_default=False,
            autocompletion=complete_node,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Create an account; returns when its SMTP, IMAP and SSH servers answer."""
    keys = parse.ssh_keys(ssh_key) if ssh_key else ()
    limits = parse.limits(
        memory,
        cpus,
        processes,
        connections,
        quota,
        internet=internet,
        messages_per_hour=messages_per_hour,
        expires=expires,
    )
    password = parse.password_line() if password_stdin else generate_password()
    here = context()
    made = accounts.create(here, name, password, ssh_keys=keys, stack=stack, node=node, **limits)
    # At once: an order takes half a minute, and nobody else knows the password of an account that is there.
    tell_of_new(made, password, told=not password_stdin, json=json)
    certificate.issue_for(here, made.account.name)


def tell_of_new(made: AccountView, password: str, *, told: bool, json: bool) -> None:
    """Show an account that has just been made.

    Args:
        told: show the password to people, too.
    """
    if json:
        output.document(as_json(made) | {"password": password})
        return
    rows = [
        ("address", made.account.canonical(made.domain)),
        ("also", made.account.short(made.domain)),
        ("login", made.account.name),
        ("set up", made.setup_page),
    ]
    if made.account.expires:
        rows.append(("expires", made.account.expires.isoformat()))
    if told:
        rows.append(("password", f"{password}   (shown once)"))
    output.fields(rows)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the accounts."""
    found = accounts.views(context())
    if json:
        output.document([as_json(view) for view in found])
        return
    output.table(
        ("NAME", "ADDRESS", "SHORT ADDRESS", "STATUS", "IPV4", "IPV6"),
        (
            (
                view.account.name,
                view.account.canonical(view.domain),
                view.account.short(view.domain),
                view.status,
                view.ipv4,
                view.ipv6,
            )
            for view in found
        ),
    )
    if old := [view.account.name for view in found if is_old(view.account)]:
        output.note(f"an upgrade is available for {', '.join(old)}: mailpod upgrade")


@app.command()
def show(name: Known, json: Json = False) -> None:
    """Show one account."""
    view = accounts.show(context(), name)
    if json:
        output.document(as_json(view))
        return
    shown = as_json(view)
    shown["memory"] = output.size(view.account.memory)
    shown["quota"] = "none" if view.account.quota == NO_QUOTA else output.size(view.account.quota)
    shown["kept"] = ", ".join(view.account.kept) or None
    output.fields((key.replace("_", " "), str(value)) for key, value in shown.items() if value is not None)


@app.command()
def passwd(name: Known, password_stdin: Stdin = False, json: Json = False) -> None:
    """Change an account's password; generated when none is given."""
    password = parse.password_line() if password_stdin else generate_password()
    accounts.set_password(context(), name, password)
    if json:
        output.document({"name": name.lower(), "password": password})
    elif not password_stdin:
        output.fields([("password", f"{password}   (shown once)")])


@app.command("set")
def set_(
    name: Known,
    ssh_key: KeyFile = None,
    no_ssh_key: Annotated[bool, typer.Option("--no-ssh-key", help="Take its SSH keys away.")] = False,
    stack: OtherStack = None,
    memory: Memory = None,
    cpus: Cpus = None,
    processes: Processes = None,
    connections: Connections = None,
    quota: Quota = None,
    internet: Reach = None,
    messages_per_hour: PerHour = None,
    expires: Expires = None,
    json: Json = False,
) -> None:
    """Change an account's stack, its limits, its reach or its SSH keys."""
    if ssh_key and no_ssh_key:
        raise InvalidInput("--ssh-key and --no-ssh-key exclude each other", "give one of them")
    keys = parse.ssh_keys(ssh_key) if ssh_key else () if no_ssh_key else None
    limits = parse.limits(
        memory,
        cpus,
        processes,
        connections,
        quota,
        internet=internet,
        messages_per_hour=messages_per_hour,
        expires=expires,
    )
    if keys is None and stack is None and not limits:
        raise InvalidInput("nothing to change", "see: mailpod account set --help")
    view = accounts.change(context(), name, stack=stack, ssh_keys=keys, **limits)
    if json:
        output.document(as_json(view))


@app.command()
def rotate(name: Known, json: Json = False) -> None:
    """Replace the keys an account proves itself with to main and to clients; its password and SSH keys stay."""
    here = context()
    account = rotating.rotate(here, name)
    certificate.issue_for(here, account.name)
    if json:
        output.document({"name": account.name})


@app.command()
def freeze(name: Known, json: Json = False) -> None:
    """Cut an account off at once and keep everything as it is: no login, no sending; mail for it waits at main."""
    freezing.freeze(context(), name)
    if json:
        output.document(as_json(accounts.show(context(), name)))
    else:
        output.note(f"let it go on with: mailpod account thaw {name.lower()}")


@app.command()
def thaw(name: Known, json: Json = False) -> None:
    """Let a frozen account go on; mail that waits for it is delivered."""
    here = context()
    freezing.thaw(here, name)
    certificate.issue_for(here, name.lower())
    if json:
        output.document(as_json(accounts.show(here, name)))


@app.command()
def delete(
    name: Known,
    purge: Annotated[bool, typer.Option("--purge", help="Destroy its mail as well.")] = False,
    keep_backups: Annotated[
        bool, typer.Option("--keep-backups", help="With --purge: its backups stay for as long as a backup does.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Delete an account; its mail is kept for undelete unless --purge."""
    if keep_backups and not purge:
        raise InvalidInput("--keep-backups is for --purge: else all is kept", "leave it out, or add --purge")
    here = context()
    here.require_system()
    names = dict.fromkeys(one.name for one in reversed(accounts.concerned(here, name, purge=purge)))
    question = f"Delete {', '.join(names)}"
    all_of_it = "all mail" if keep_backups else "all mail and all backups"
    parse.confirm(f"{question} and destroy {all_of_it}?" if purge else f"{question}?", yes=yes)
    gone = accounts.delete(here, name, purge=purge, keep_backups=keep_backups)
    if purge:
        keeping.show_proof(here, gone, json=json)
    elif json:
        output.document({"name": gone[-1].name, "id": gone[-1].id, "purged": False})
    else:
        output.note(
            f"its mail is kept for {here.system.retention.days} days;"
            f" bring it back with: mailpod account undelete {gone[-1].name}"
        )


@app.command()
def undelete(name: Deleted, json: Json = False) -> None:
    """Bring back a deleted account with its mail and password."""
    view = accounts.undelete(context(), name)
    if json:
        output.document(as_json(view))
