"""`mailpod dns …`: the organisation's zone."""

from dataclasses import asdict
from typing import Annotated

import typer

from mailpod.cli import output, parse, publishing, secondary
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model import names
from mailpod.model.zone import TTL
from mailpod.services import dns, dns_check
from mailpod.services.answer import Answer
from mailpod.services.port_check import WELL_KNOWN

app = typer.Typer(help="The organisation's DNS zone.", no_args_is_help=True)
app.add_typer(secondary.app, name="secondary")
publishing.register(app)

Wildcards = Annotated[
    bool, typer.Option("--wildcards", help="Wildcards instead of records for each account, in a zone elsewhere.")
]

_WILDCARDS = """\
; The wildcard leads mail to all accounts, of today and tomorrow, and says who sends as them. It does not count for a
; name that has any record, at it or below it. So these accounts have no keys, services and addresses of their own
; here: SPF alone vouches for their canonical addresses, and mostly no more once a message is forwarded. Set no A
; record for "*". An account that is to have one of these needs all its records, MX and SPF as well: mailpod dns show"""


@app.command()
def show(wildcards: Wildcards = False, json: Json = False) -> None:
    """Print every record that the domain needs, as a zone file, and what its parent zone needs."""
    here = context()
    system = here.system
    records = dns.records(here, wildcards=wildcards)
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
    if wildcards:
        output.line(_WILDCARDS)
    if system.dns == "built-in":
        output.note(f"served by {system.local_address()} port {system.dns_port()}; the parent zone needs:")
        for line in (*dns.glue(here), *(f"{system.domain}. IN DS {value}" for value in delegation)):
            output.note(f"  {line}")
    else:
        output.note("to be served by the domain's name servers: give these records to whoever runs them")


@app.command()
def check(
    resolver: Annotated[
        str | None, typer.Option(help="Whom to ask; this machine's resolver by default.", show_default=False)
    ] = None,
    reach: Annotated[
        str, typer.Option(help="A domain whose mail server is tried, to see whether the provider lets mail out.")
    ] = WELL_KNOWN,
    wildcards: Wildcards = False,
    json: Json = False,
) -> None:
    """Compare what the public DNS says with what it should say, and try ports; 1 if something required is not right.

    Ports are tried from this machine, which does not see what a provider keeps out before it.
    """
    from mailpod.services.lookup import Resolver

    here = context()
    address = parse.host_address(resolver, "--resolver") if resolver else here.system.resolver
    found = dns_check.check(here, Resolver(address), reach=names.host_name(reach), wildcards=wildcards)
    if json:
        output.document([asdict(one) for one in found])
    else:
        _tell(found)
    if any(one.required and one.verdict != "right" for one in found):
        raise typer.Exit(1)


def _tell(found: list[Answer]) -> None:
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
