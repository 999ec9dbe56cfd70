"""`mailpod dkim …`: the keys that outgoing mail is signed with."""

from typing import Annotated, Any

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.dkim import SigningKey
from mailpod.services import dkim

app = typer.Typer(help="The keys that outgoing mail is signed with.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(help="An account; every domain by default.", show_default=False)]


def as_json(domain: str, key: SigningKey) -> dict[str, Any]:
    """A key as a JSON object, without what is secret."""
    return {
        "domain": domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "record": key.record(domain),
        "text": key.text,
        "signs": not key.new and key.retired is None,
        "retired": key.retired and key.retired.isoformat(),
    }


@app.command()
def show(name: Name = None, json: Json = False) -> None:
    """Show the DNS records of the keys."""
    _show(dkim.views(context(), name), json=json)


@app.command()
def rotate(name: Name = None, json: Json = False) -> None:
    """Make new keys, which sign once the DNS has them; from then on, the old ones are to stay there for a week."""
    _show(dkim.rotate(context(), name), json=json)


def _show(keys: list[tuple[str, SigningKey]], *, json: bool) -> None:
    if json:
        output.document([as_json(domain, key) for domain, key in keys])
        return
    for domain, key in keys:
        output.line(f"{key.record(domain)}. TXT {key.text}")
    waiting = [key.record(domain) for domain, key in keys if key.new]
    if waiting:
        output.note(
            f"not yet signing: {', '.join(waiting)}; they do once they are found in the DNS, "
            "for which mailpod apply looks at once, and mailpod tend every hour"
        )
