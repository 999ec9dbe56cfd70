"""`mailpod backup …`: to a folder, over SFTP or to S3."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mailpod.cli import output, parse
from mailpod.cli.account import complete_name
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.model.backup import Backed
from mailpod.services import backing_up, backup_care, depots, snapshots


class _NamesOrCommand(TyperGroup):
    """What is no command is the name of an account, or nothing at all: `backup alice` is `backup now alice`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        if not args or args[0] not in {*self.commands, "-h", "--help"}:
            args = ["now", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_NamesOrCommand, help="Back up accounts, keys and the desired state.")

S3Keys = Annotated[
    Path | None,
    typer.Option(help="File with the two keys for S3, one a line; - for standard input.", show_default=False),
]
S3Region = Annotated[
    str | None, typer.Option(help="Region of the S3 bucket, if the service wants it.", show_default=False)
]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Accounts; all of them by default.", show_default=False, autocompletion=complete_name),
]


@app.command()
def now(
    names: Names = None,
    json: Json = False,
) -> None:
    """Back up accounts, while mail flows, and the keys and the desired state; `backup NAME…` is short for it."""
    done = backing_up.back_up(context(), tuple(names or ()))
    if json:
        output.document([{"name": name, **_as_json(one)} for name, one in done.items()])
        return
    output.table(
        ("NAME", "SNAPSHOT", "SIZE", "ADDED"),
        ((name, one.snapshot[:8], output.size(one.size), output.size(one.added)) for name, one in done.items()),
    )


def _as_json(one: Backed) -> dict[str, Any]:
    return one.model_dump(mode="json", include={"taken", "snapshot", "size", "added"})


@app.command()
def to(
    repository: Annotated[
        str,
        typer.Argument(help="/FOLDER, sftp:USER@HOST:/PATH or s3:https://HOST/BUCKET.", show_default=False),
    ],
    every: Annotated[
        int | None,
        typer.Option(min=1, max=24 * 31, help="Hours from one to the next; 24 at first.", show_default=False),
    ] = None,
    keep_daily: Annotated[
        int | None, typer.Option(min=1, help="Days whose last one stays; 14 at first.", show_default=False)
    ] = None,
    keep_weekly: Annotated[
        int | None, typer.Option(min=0, help="Weeks whose last one stays; 8 at first.", show_default=False)
    ] = None,
    keep_monthly: Annotated[
        int | None, typer.Option(min=0, help="Months whose last one stays; 12 at first.", show_default=False)
    ] = None,
    s3_keys: S3Keys = None,
    s3_region: S3Region = None,
    json: Json = False,
) -> None:
    """Say where backups go and how often; nobody can read them without `backup key`."""
    given = {"every": every, "keep_daily": keep_daily, "keep_weekly": keep_weekly, "keep_monthly": keep_monthly}
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    changes |= parse.s3_access(s3_keys, s3_region)
    plan = backing_up.set_up(context(), repository, changes)
    if json:
        shown = {"repository", "every", "keep_daily", "keep_weekly", "keep_monthly", "former"}
        output.document(plan.model_dump(include=shown))
        return
    for place in plan.former:
        output.note(
            f"what was backed up to {place} is still there, and no purge destroys it; see: mailpod backup former"
        )
    output.note("keep the key elsewhere too, as nothing can be restored without it: mailpod backup key")


@app.command()
def former(
    forget: Annotated[
        str | None, typer.Option(help="Strike this one, of which nothing is left.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List where backups went before; they are still there, until somebody removes them there."""
    here = context()
    if forget is not None:
        depots.forget_former(here, forget)
    places = depots.plan(here).former
    if json:
        output.document(list(places))
        return
    for place in places:
        output.line(place)
    if places:
        output.note(
            "remove the folder `system` there, and those named by accounts' ids, then: mailpod backup former --forget"
        )


@app.command()
def key(json: Json = False) -> None:
    """Print the key, without which nothing can be restored: keep it where this machine is not."""
    plan = depots.plan(context())
    if json:
        output.document({"repository": plan.repository, "key": plan.key})
    else:
        output.line(plan.key)


@app.command()
def check(
    names: Names = None,
    json: Json = False,
) -> None:
    """See that the backups are whole, and read an eighth of their data, another one each time."""
    found = backup_care.check_all(context(), tuple(names or ()))
    if json:
        output.document([{"name": name, **one.model_dump(mode="json")} for name, one in found.items()])


@app.command("list")
def list_(
    names: Names = None,
    json: Json = False,
) -> None:
    """List the backups that there are."""
    found = snapshots.listed(context(), tuple(names or ()))
    if json:
        output.document(
            [
                {"id": one.id, "time": one.time.isoformat(), "account": name, "size": one.size}
                for name, of_one in found.items()
                for one in of_one
            ]
        )
        return
    output.table(
        ("ID", "TIME", "ACCOUNT", "SIZE"),
        (
            (one.id[:8], one.time.astimezone().isoformat(timespec="seconds"), name, output.size(one.size))
            for name, of_one in found.items()
            for one in of_one
        ),
    )
