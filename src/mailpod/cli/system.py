"""`mailpod up`, `down`, `status`, `apply`, `ca`, `demo`: the whole installation."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mailpod.cli import certificate, output, parse, tending
from mailpod.cli.account import as_json
from mailpod.cli.certificate import issue_due
from mailpod.cli.engine import Advertise
from mailpod.cli.option import Json
from mailpod.cli.queue import as_json as queue_as_json
from mailpod.cli.state import context, options
from mailpod.model import layout
from mailpod.model.errors import InvalidInput
from mailpod.model.plan import describe
from mailpod.model.records import Antivirus, Dns, EngineKind, System
from mailpod.services import accounts, acme_options, installation, planning, relay_host, resolving
from mailpod.services import demo as demonstration
from mailpod.services import status as status_service
from mailpod.services.acme_options import AcmeOptions
from mailpod.services.backup_care import BackupHealth
from mailpod.services.refusals import Refusals
from mailpod.services.relay_host import RelayOptions
from mailpod.services.status import ElementStatus, Status

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands to the top level."""
    for command in (up, down, status, apply, ca, demo):
        app.command()(command)


def up(
    domain: Annotated[str, typer.Argument(help="The organisation's domain, e.g. example.org.", show_default=False)],
    bind: Annotated[
        str | None, typer.Option(help="IPv4 address to listen on; all by default.", show_default=False)
    ] = None,
    port_base: Annotated[
        int | None, typer.Option(help="Number added to every published port.", show_default=False)
    ] = None,
    resolver: Annotated[
        str | None,
        typer.Option(help="DNS resolver to ask; none for the root servers, as at first.", show_default=False),
    ] = None,
    public_ipv4: Annotated[
        str | None,
        typer.Option("--public-ipv4", help="This machine's IPv4 address on the Internet.", show_default=False),
    ] = None,
    dns: Annotated[
        Dns | None,
        typer.Option(help="Who serves the domain's zone; built-in at first, if port 53 is free.", show_default=False),
    ] = None,
    antivirus: Annotated[
        Antivirus | None,
        typer.Option(help="What looks for viruses in mail; none at first. ClamAV takes 2 GB.", show_default=False),
    ] = None,
    ipv6_prefix: Annotated[
        str | None,
        typer.Option(
            help="IPv6 prefix that is routed to this machine, /64 or larger; none to give it up.", show_default=False
        ),
    ] = None,
    relay: Annotated[
        str | None,
        typer.Option(
            "--relay-host",
            help="HOST[:PORT] of the mail server that all mail for the outside leaves through; none for no more.",
            show_default=False,
        ),
    ] = None,
    relay_user: Annotated[
        str | None, typer.Option(help="What to log in as at the relay host.", show_default=False)
    ] = None,
    relay_password_stdin: Annotated[
        bool, typer.Option("--relay-password-stdin", help="Read the password for the relay host from standard input.")
    ] = False,
    relay_ca: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the authority that the relay host's certificate is from; none for the public ones.",
            show_default=False,
        ),
    ] = None,
    acme_email: Annotated[
        str | None,
        typer.Option(
            help="Have certificates from an ACME server, which may write to this address; none for no more. You"
            " agree to that server's terms.",
            show_default=False,
        ),
    ] = None,
    acme_server: Annotated[
        str | None, typer.Option(help="URL of its directory; Let's Encrypt at first.", show_default=False)
    ] = None,
    acme_ca: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the authority that the ACME server's own certificate is from; none for the public ones.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        EngineKind | None, typer.Option(help="What runs it; docker at first.", show_default=False)
    ] = None,
    advertise_addr: Advertise = None,
    retention: Annotated[
        str | None,
        typer.Option(help="How long deleted accounts can be brought back, e.g. 30d.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Deploy or update the main system and every account."""
    options = RelayOptions(
        relay,
        relay_user,
        parse.only_line() if relay_password_stdin else None,
        None if relay_ca is None else parse.authority(relay_ca),
    )
    acme = AcmeOptions(acme_email, acme_server, None if acme_ca is None else parse.authority(acme_ca))
    here = context(set_up_engine=True, engine=engine)
    system = planning.planned(
        here.store,
        domain,
        here.instance,
        bind=bind,
        port_base=port_base,
        resolver=resolver,
        public_ipv4=public_ipv4,
        dns=dns,
        antivirus=antivirus,
        ipv6_prefix=ipv6_prefix,
        engine=engine,
        retention=None if retention is None else parse.duration(retention),
    )
    if advertise_addr and system.engine != "swarm":
        raise InvalidInput("--advertise-addr is for a Swarm", "say --engine swarm, or leave it out")
    system, credentials = relay_host.planned(here.store, system, options)
    installation.up(here, acme_options.planned(system, acme), advertise_addr or "", credentials)
    tending.enter(here)
    issue_due(here)
    if json:
        output.document(system.model_dump(mode="json") | {"webmail": system.webmail()})
        return
    output.fields(
        [
            ("webmail", system.webmail()),
            ("or, on this machine", f"https://{system.local_address()}:{system.port('https')}"),
            ("next", "mailpod account create NAME"),
        ]
    )


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Destroy every account's mail as well.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the system; mail and accounts are kept unless --purge."""
    here = context()
    domain = here.system.domain
    if purge:
        parse.confirm(f"Destroy all mail and accounts of {domain}?", yes=yes)
    tending.strike(here)
    installation.down(here, purge=purge)


def status(json: Json = False) -> None:
    """Show main and every account: desired, observed, health, addresses, image, memory, mail that waits, refusals."""
    found = status_service.status(context())
    queue = found.queue
    if json:
        output.document(
            {
                "domain": found.system.domain,
                "instance": found.system.instance,
                "webmail": found.system.webmail(),
                "ipv6": {"prefix": found.system.ipv6_subnet, "routed": found.system.ipv6_routed},
                "relay_host": _relay_as_json(found.system),
                "resolver": asdict(found.resolver),
                "main": asdict(found.main),
                "beside": [asdict(element) for element in found.beside],
                "accounts": [asdict(element) for element in found.accounts],
                "upgradable": found.upgradable,
                "queue": None if queue is None else [queue_as_json(message) for message in queue],
                "backup": _backup_as_json(found.backup),
                "tended": found.tended.model_dump(mode="json"),
                "certificates": [certificate.as_json(one) for one in found.certificates],
                "refusals": None if found.refusals is None else [_refusals_as_json(one) for one in found.refusals],
            }
        )
        return
    _tell_of_system(found.system)
    output.table(
        ("NAME", "DESIRED", "OBSERVED", "HEALTH", "IPV4", "IPV6", "MEMORY", "WAITING", "IMAGE"),
        (_row(element) for element in (found.main, *found.beside, *found.accounts)),
    )
    _tell_of_antivirus(found)
    for problem in (
        *resolving.problems(found.system, found.resolver),
        *tending.problems(found.tended),
        *certificate.problems(found.certificates),
        *found.backup.problems,
    ):
        output.line(problem)
    _tell_of_accounts(found)
    for message in (queue or [])[:_SHOWN]:
        to = ", ".join(message.recipients)
        output.line(f"waiting in {message.element}: {message.queue_id} to {to}: {message.reason}")
    if queue and len(queue) > _SHOWN:
        output.line(f"… and {len(queue) - _SHOWN} more")
    for one in found.refusals or []:
        output.line(
            f"refused to {one.account}: {one.kind}, {one.count} times in 24 h, last at {_at(one)}: {one.detail}"
        )


def _backup_as_json(health: BackupHealth) -> dict[str, Any]:
    oldest = health.oldest.isoformat() if health.oldest else None
    return {"repository": health.repository or None, "oldest": oldest, "problems": list(health.problems)}


def _relay_as_json(system: System) -> dict[str, Any] | None:
    if not system.relay_host:
        return None
    return {"host": system.relay_host, "port": system.relay_port, "user": system.relay_user}


def _tell_of_system(system: System) -> None:
    output.line(f"{system.domain}: webmail at {system.webmail()}")
    if not (system.ipv6_routed or system.prefixes):
        output.line("accounts are not reachable from outside over IPv6: no --ipv6-prefix was given to mailpod up")
    if system.relay_host:
        login = f" as {system.relay_user}" if system.relay_user else ""
        output.line(f"mail for the outside leaves through {system.relay_host}, port {system.relay_port}{login}")


def _tell_of_accounts(found: Status) -> None:
    for element in found.accounts:
        if element.expires:
            output.line(f"{element.name} is a guest until {element.expires}")
        if element.frozen:
            output.line(
                f"{element.name} is frozen since {element.frozen}, {element.waiting or 0} messages wait at main"
            )
        if element.since:
            output.line(
                f"{element.name} is down since {element.since}, as {element.node} is;"
                f" {element.waiting or 0} messages wait at main"
            )
        if element.kept:
            output.line(f"{element.name} was recovered; an older copy of it is kept on {', '.join(element.kept)}")
    if "main" in found.upgradable:
        scanned = ", mail may not be scanned for viruses" if found.system.antivirus != "none" else ""
        output.line(f"main is on an older image, and may not do all that it is told{scanned}: mailpod upgrade main")
    if found.upgradable:
        output.line(f"an upgrade is available for {', '.join(found.upgradable)}: mailpod upgrade")


def _tell_of_antivirus(found: Status) -> None:
    scanner = next((element for element in found.beside if element.name == "antivirus"), None)
    if scanner and (scanner.observed, scanner.health) not in {("running", "healthy"), ("running", "")}:
        name = layout.container_beside_main(found.system.instance, "antivirus")
        output.line(
            "mail is not scanned for viruses: ClamAV is not running, or is loading, or has no signatures yet;"
            f" see: docker logs {name}"
        )


def _refusals_as_json(one: Refusals) -> dict[str, Any]:
    return asdict(one) | {"last": one.last.isoformat()}


def _at(one: Refusals) -> str:
    return one.last.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _row(element: ElementStatus) -> tuple[str, ...]:
    return (
        element.name,
        element.desired,
        element.observed,
        element.health,
        element.ipv4,
        element.ipv6,
        output.size(element.memory),
        "?" if element.waiting is None else str(element.waiting),
        element.image,
    )


def apply(json: Json = False) -> None:
    """Converge everything to the desired state; safe at any time."""
    here = context()
    steps = installation.apply(here)
    issue_due(here)
    # Otherwise each was told when it was taken.
    if json:
        output.document([describe(step) for step in steps])


def ca(json: Json = False) -> None:
    """Print the certificate of the system's own authority, for clients to trust."""
    here = context()
    here.require_system()
    if json:
        output.document({"certificate": here.keys.authority()})
    else:
        print(here.keys.authority(), end="")


def demo(
    port_base: Annotated[
        int | None, typer.Option(help=f"Number added to every port; {demonstration.PORT_BASE} at first.")
    ] = None,
    json: Json = False,
) -> None:
    """Start a system on a demo domain, with two accounts and a message from outside."""
    here = context(set_up_engine=True, default_instance="demo")
    shown = demonstration.run(here, port_base)
    host, port = here.system.local_address(), here.system.port
    if json:
        views = [accounts.show(here, name) for name in shown.passwords]
        output.document(
            {
                "webmail": f"https://{host}:{port('https')}",
                "accounts": [as_json(view) | {"password": shown.passwords[view.account.name]} for view in views],
                "message": shown.message,
            }
        )
        return
    output.line(f"A message from outside to {shown.address}, read over IMAP:\n")
    output.line(shown.message)
    output.line("\nGo on:")
    for name, password in shown.passwords.items():
        output.line(f"  {name:5}  {name}@{here.system.domain}  password {password}")
    output.line(f"  webmail  https://{host}:{port('https')}")
    output.line(f"  IMAP     {host} port {port('imaps')} (TLS); submission port {port('submissions')} (TLS)")
    own = f"--instance {here.instance}" + (f" --state {options.state}" if options.state else "")
    output.line(f"  accounts scripts/listAccount.sh {own}")
    output.line(f"           scripts/createAccount.sh carol {own}")
    output.line(f"  the end  ./mailpod {own} down --purge")
