"""`mailpod dns publish`: records for who serves the zone elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mailpod.cli import output, parse
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.model.publishing import UpdateKey, Way, options_from
from mailpod.model.records import DNS_PORT
from mailpod.model.zone import TTL

if TYPE_CHECKING:
    from mailpod.services.dns_publish import Change

# Those of `mailpod.model.publishing.PROVIDERS`.
_Provider = Literal["cloudflare", "digitalocean", "gandi", "hetzner", "ovh", "powerdns"]
_NAME_ONE = "say --server with --key-file, or --provider with --credentials"


def register(app: typer.Typer) -> None:
    """Add the command to `mailpod dns`."""
    app.command()(publish)


def publish(
    server: Annotated[
        str | None, typer.Option(help="The name server that takes changes (RFC 2136).", show_default=False)
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="The key it knows, as tsig-keygen(8) writes it.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = DNS_PORT,
    provider: Annotated[
        _Provider | None, typer.Option(help="Or the DNS provider through whose API it goes.", show_default=False)
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="What that wants to know, as a TOML file.", show_default=False)
    ] = None,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--no-keep",
            help="Whether to do so by itself from now on: for accounts that come and go, and for certificates.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be changed.")] = False,
    json: Json = False,
) -> None:
    """Send every record to who serves the domain elsewhere, and take back what is not wanted any more.

    Without a server or a provider, to where `--keep` had it sent.
    """
    from mailpod.services import dns_publish

    here = context()
    dns_publish.require_elsewhere(here)
    way = _way(server, key_file, port, provider, credentials) or here.store.publishing()
    if way is None:
        raise InvalidInput("nobody is named to send it to", _NAME_ONE)
    if keep is False and not dry_run:
        here.store.forget_publishing()
    done = dns_publish.publish(
        here, dns_publish.publisher(here, way), lambda changes: _show(changes, json=json), dry_run=dry_run
    )
    if keep and not dry_run:
        here.store.save_publishing(way)
    if json:
        output.document(
            {
                "zone": here.system.domain,
                "server": way.place,
                "sets": done.sets,
                "changes": [
                    {"name": one.name, "type": one.kind, "before": sorted(one.before), "after": sorted(one.after)}
                    for one in done.changes
                ],
            }
        )
    elif dry_run:
        output.note(f"{len(done.changes)} sets of records would be changed at {way.place}")
    else:
        output.note(f"{done.sets} sets of records are at {way.place}; {len(done.changes)} were changed")


def _way(
    server: str | None, key_file: Path | None, port: int, provider: str | None, credentials: Path | None
) -> Way | None:
    """The way that was asked for; None when none was.

    Raises:
        InvalidInput: a half of one, or of both; or a file that cannot be used.
    """
    if bool(server) != bool(key_file) or bool(provider) != bool(credentials) or (server and provider):
        raise InvalidInput("that is not one way", _NAME_ONE)
    if server and key_file:
        from mailpod.services.nameserver import Key

        text = parse.secret_text(key_file, "the key", "make a key with: tsig-keygen NAME")
        try:
            key = Key.read(text)
        except ValueError as error:
            raise InvalidInput(f"{key_file} cannot be used: {error}", "make a key with: tsig-keygen NAME") from error
        known = UpdateKey(name=key.name, algorithm=key.algorithm, secret=key.secret)
        return Way(server=parse.host_address(server, "--server"), port=port, key=known)
    if provider and credentials:
        text = parse.secret_text(credentials, "the credentials", "give a TOML file; see docs/internet.md, DNS")
        return Way(provider=provider, options=options_from(provider, text))
    return None


def _show(changes: list["Change"], *, json: bool) -> None:
    """What is about to be changed: on standard error when a document is the result."""
    tell = output.note if json else output.line
    for one in changes:
        for sign, values in (("-", one.before - one.after), ("+", one.after - one.before)):
            for value in sorted(values):
                tell(f"{sign} {one.name}. {TTL} IN {one.kind} {value}")
