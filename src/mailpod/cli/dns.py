"""`mailpod dns …`: the organisation's zone."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mailpod.cli import output, parse, secondary
from mailpod.cli.state import context
from mailpod.model.errors import InvalidInput
from mailpod.model.zone import TTL
from mailpod.services import dns, dns_check
from mailpod.services.dns_check import Finding

app = typer.Typer(help="The organisation's DNS zone.", no_args_is_help=True)
app.add_typer(secondary.app, name="secondary")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def show(json: Json = False) -> None:
    """Print every record that the domain needs, as a zone file, and what its parent zone needs."""
    here = context()
    system = here.system
    records = dns.records(here)
    delegation = dns.delegation(here)
    if json:
        output.document(
            {
                "zone": system.domain,
                "served": system.dns,
                "records": [
                    {"name": one.name, "type": one.kind, "ttl": TTL, "data": one.data, "required": one.required}
                    for one in records
                ],
                "ds": delegation,
            }
        )
        return
    for one in records:
        output.line(one.line())
    if system.dns == "built-in":
        output.note(f"served by {system.local_address()} port {system.dns_port()}; the parent zone needs:")
        for line in (*dns.glue(here), *(f"{system.domain}. IN DS {value}" for value in delegation)):
            output.note(f"  {line}")
    else:
        output.note("to be served by the domain's name servers: give these records to whoever runs them")


@app.command()
def publish(
    server: Annotated[str, typer.Option(help="The name server that takes changes.", show_default=False)],
    key_file: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="The key it knows, as tsig-keygen(8) writes it.", show_default=False
        ),
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 53,
    json: Json = False,
) -> None:
    """Send every record to a name server elsewhere (RFC 2136), and take back what is not wanted any more."""
    from mailpod.services import dns_publish
    from mailpod.services.nameserver import Key, Nameserver

    here = context()
    dns_publish.require_elsewhere(here)
    try:
        key = Key.read(key_file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{key_file} cannot be used: {error}", "make a key with: tsig-keygen NAME") from error
    address = parse.host_address(server, "--server")
    count = dns_publish.publish(here, Nameserver(address, port, here.system.domain, key))
    if json:
        output.document({"zone": here.system.domain, "server": server, "sets": count})
    else:
        output.note(f"{count} sets of records are at {server}")


@app.command()
def check(
    resolver: Annotated[
        str | None, typer.Option(help="Whom to ask; this machine's resolver by default.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Compare what the public DNS says with what it should say; ends with 1 if something required is not right."""
    from mailpod.services.lookup import Resolver

    here = context()
    address = parse.host_address(resolver, "--resolver") if resolver else here.system.resolver
    found = dns_check.check(here, Resolver(address))
    if json:
        output.document([asdict(one) for one in found])
    else:
        _tell(found)
    if any(one.required and one.verdict != "right" for one in found):
        raise typer.Exit(1)


def _tell(found: list[Finding]) -> None:
    amiss = [one for one in found if one.verdict != "right"]
    output.table(
        ("VERDICT", "NEED", "NAME", "TYPE", "SHOULD BE", "IS", "DO"),
        (
            (
                one.verdict,
                "required" if one.required else "recommended",
                one.name,
                one.kind,
                " | ".join(one.wanted),
                " | ".join(one.found),
                one.hint,
            )
            for one in amiss
        ),
    )
    output.note(f"{len(found) - len(amiss)} of {len(found)} are right")
