"""`mailpod certificate …`: what main and the accounts show their clients."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context

if TYPE_CHECKING:
    from mailpod.services.certificate_views import CertificateView
    from mailpod.services.context import Context

app = typer.Typer(help="The certificates that clients see.", no_args_is_help=True)


def as_json(one: "CertificateView") -> dict[str, Any]:
    """A certificate as a JSON object."""
    return {
        "name": one.name,
        "names": list(one.names),
        "issuer": one.issuer,
        "not_after": one.not_after.isoformat(),
        "state": one.state,
        "left_out": list(one.left_out),
        "problem": one.problem,
        "hint": one.hint,
        "next_attempt": one.again and one.again.isoformat(),
    }


def problems(found: "list[CertificateView]") -> list[str]:
    """What is wrong with them, a line each; what is wrong with several in the same way is said once."""
    lines: dict[str, list[str]] = {}
    for one in found:
        if one.problem:
            again = f"; tried again from {one.again:%Y-%m-%d %H:%M} UTC on" if one.again else ""
            lines.setdefault(f"{one.problem}; {one.hint}{again}", []).append(one.name)
        elif one.left_out:
            lines.setdefault("the DNS does not lead these here: " + ", ".join(one.left_out), []).append(one.name)
    return [f"certificate of {', '.join(names)}: {what}" for what, names in lines.items()]


def issue_due(here: "Context") -> None:
    """Order what is due; nothing of this fails the command, which has done its work."""
    if here.system.acme_email:
        from mailpod.services import issuing

        issuing.issue_on_up(here)


def issue_for(here: "Context", name: str) -> None:
    """The same for an account that has just been made."""
    if here.system.acme_email:
        from mailpod.services import issuing

        issuing.issue_for(here, name)


@app.command("list")
def list_(json: Json = False) -> None:
    """Show the certificates of main and every account: who gave them, until when, and what is wrong."""
    from mailpod.services import certificate_views

    _show(certificate_views.views(context()), json=json)


@app.command()
def renew(
    name: Annotated[str | None, typer.Argument(help="main, or an account; all by default.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Order new certificates now, also where the last order failed; keys stay as they are."""
    from mailpod.services import issuing

    _show(issuing.renew(context(), name), json=json)


def _show(found: "list[CertificateView]", *, json: bool) -> None:
    if json:
        output.document([as_json(one) for one in found])
        return
    output.table(
        ("NAME", "STATE", "ISSUER", "UNTIL", "FOR"),
        ((one.name, one.state, one.issuer, f"{one.not_after:%Y-%m-%d}", " ".join(one.names)) for one in found),
    )
    for line in problems(found):
        output.note(line)
