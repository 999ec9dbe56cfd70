"""`mailpod tend`, and the machine's timetable, which runs it."""

import os
import shlex
from typing import TYPE_CHECKING

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context
from mailpod.host.timetable import Timetable
from mailpod.model.records import Tended, now
from mailpod.services import tending
from mailpod.services.images import SOURCES

if TYPE_CHECKING:
    from mailpod.services.context import Context


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command()(tend)


def tend(json: Json = False) -> None:
    """Do what is due: renewals and the like. The machine runs it every hour by itself."""
    tended = tending.tend(context())
    if json:
        output.document(tended.model_dump(mode="json"))
    for line in problems(tended):
        output.note(line)
    if any(done.problem for done in tended.chores.values()):
        raise typer.Exit(1)


def problems(tended: Tended) -> list[str]:
    """What is wrong with the chores, a line each."""
    lines = []
    if tended.at and tended.stale(now()):
        lines.append(
            f"nothing was tended since {tended.at.isoformat()}: run mailpod tend, and see that it runs every hour"
        )
    for name, done in tended.chores.items():
        if done.problem:
            since = f", last done {done.last.isoformat()}" if done.last else ""
            lines.append(f"{name}: {done.problem}{since}; {done.hint}")
    return lines


def enter(here: "Context", timetable: Timetable | None = None) -> None:
    """Have the machine tend this system every hour, if it is this machine's, or say that nothing does."""
    table = timetable or Timetable()
    command = [
        str(SOURCES / "mailpod"),
        "--state",
        str(here.store.folder.resolve()),
        "--instance",
        here.instance,
        "tend",
    ]
    if os.geteuid() == 0 and here.engine_is_here and table.usable():
        table.enter(tending.timetable_name(here.system), command)
    elif here.store.tended().at is None:
        output.note(f"nothing here does chores by itself; have this run every hour: {shlex.join(command)}")


def strike(here: "Context", timetable: Timetable | None = None) -> None:
    """End that."""
    if os.geteuid() == 0:
        (timetable or Timetable()).strike(tending.timetable_name(here.system))
