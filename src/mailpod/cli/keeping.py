"""What is left of deleted accounts: `mailpod account deleted`, and the proof that nothing is."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.errors import MailpodError
from mailpod.model.records import Account
from mailpod.services import purging, retention

if TYPE_CHECKING:
    from mailpod.services.context import Context


def register(app: typer.Typer) -> None:
    """Add the command to those of accounts."""
    app.command()(deleted)


def deleted(json: Json = False) -> None:
    """List the deleted accounts that can be brought back, and until when."""
    found = retention.kept(context())
    if json:
        output.document(
            [
                {
                    "name": one.account.name,
                    "id": one.account.id,
                    "deleted": one.deleted.isoformat(),
                    "until": one.until.isoformat(),
                }
                for one in found
            ]
        )
        return
    output.table(
        ("NAME", "ID", "DELETED", "KEPT UNTIL"),
        ((one.account.name, one.account.id, one.deleted.isoformat(), one.until.isoformat()) for one in found),
    )


def show_proof(here: "Context", gone: Sequence[Account], *, json: bool) -> None:
    """Look for what is left of accounts that were purged, and show what was looked at.

    Raises:
        MailpodError: something is left.
    """
    proof = purging.prove(here, gone)
    if json:
        output.document(
            {
                "name": gone[-1].name,
                "id": gone[-1].id,
                "purged": True,
                "ids": [one.id for one in gone],
                "clean": proof.clean,
                "looked_at": [asdict(look) for look in proof.looks],
                "not_destroyed": list(proof.beyond),
            }
        )
    else:
        output.table(
            ("LOOKED AT", "FOR", "FOUND"),
            ((look.where, look.what, ", ".join(look.found) or "nothing") for look in proof.looks),
        )
        for line in proof.beyond:
            output.note(f"not destroyed: {line}")
    if not proof.clean:
        raise MailpodError(
            f"not all of {gone[-1].name} is destroyed", "what is pending, mailpod apply ends; look at the rest"
        )
