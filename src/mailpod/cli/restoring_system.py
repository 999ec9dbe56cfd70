"""`mailpod system restore`: everything, on a machine that has nothing of it."""

from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli import output, parse, tending
from mailpod.cli.backup import S3Keys, S3Region
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.backup import BackupPlan
from mailpod.model.records import Dns, System
from mailpod.services import planning, system_restoring

app = typer.Typer(help="The whole system.", no_args_is_help=True)


@app.callback()
def system() -> None:
    """The whole system."""


@app.command()
def restore(
    repository: Annotated[
        str, typer.Argument(help="Where the backups are: as `backup to` was told.", show_default=False)
    ],
    key_file: Annotated[
        Path,
        typer.Option(help="File with what `backup key` printed; - for standard input.", show_default=False),
    ],
    at: Annotated[str, typer.Option(help="A time, for the last backups until then; the last ones by default.")] = "",
    ssh_key: Annotated[
        Path | None, typer.Option(help="File of the private key for the SFTP server.", show_default=False)
    ] = None,
    s3_keys: S3Keys = None,
    s3_region: S3Region = None,
    bind: Annotated[str | None, typer.Option(help="IPv4 address to listen on.", show_default=False)] = None,
    port_base: Annotated[
        int | None, typer.Option(help="Number added to every published port.", show_default=False)
    ] = None,
    resolver: Annotated[str | None, typer.Option(help="DNS resolver to ask.", show_default=False)] = None,
    public_ipv4: Annotated[
        str | None,
        typer.Option("--public-ipv4", help="This machine's IPv4 address on the Internet.", show_default=False),
    ] = None,
    dns: Annotated[Dns | None, typer.Option(help="Who serves the domain's zone.", show_default=False)] = None,
    ipv6_prefix: Annotated[
        str | None, typer.Option(help="IPv6 prefix that is routed to this machine, or none.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Bring everything back from backups: keys, the desired state, every account. What is not said is as it was."""
    given = BackupPlan(key=parse.key_line(key_file), repository=repository)
    if ssh_key:
        private, public = parse.private_key(ssh_key)
        given = given.model_copy(update={"ssh_private": private, "ssh_public": public})
    given = given.model_copy(update=parse.s3_access(s3_keys, s3_region))

    def adjust(there: System) -> System:
        return planning.adjusted(
            there,
            bind=bind,
            port_base=port_base,
            resolver=resolver,
            public_ipv4=public_ipv4,
            dns=dns,
            ipv6_prefix=ipv6_prefix,
        )

    here = context(set_up_engine=True)
    restored, empty = system_restoring.restore_system(here, given, at, adjust)
    tending.enter(here)
    for name in empty:
        output.note(f"no backup was ever made of {name}: it is empty")
    if json:
        output.document(restored.model_dump(mode="json") | {"empty": empty})
    else:
        output.fields([("webmail", restored.webmail()), ("next", "mailpod status")])
