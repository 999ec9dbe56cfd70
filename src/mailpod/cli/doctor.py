"""`mailpod doctor`: what is wrong, and its repair."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mailpod.cli import output
from mailpod.cli.option import Json
from mailpod.cli.state import context

if TYPE_CHECKING:
    from mailpod.services.doctor.checkup import Diagnosis


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired; mail is never removed.")] = False,
    hours: Annotated[int, typer.Option(min=1, help="How long mail may wait before it is told.")] = 4,
    time_server: Annotated[str, typer.Option(help="Who is asked for the time; none for nobody.")] = "pool.ntp.org",
    json: Json = False,
) -> None:
    """Find what is wrong, and say what to do about it; ends with 1 if something is, and stays so."""
    from mailpod.services.doctor import checkup

    here = context()
    checks = checkup.checks(timedelta(hours=hours), "" if time_server == "none" else time_server)
    found = checkup.fix(here, checks) if fix else [checkup.Diagnosis(one) for one in checkup.examine(here, checks)]
    if json:
        output.document([_as_json(one) for one in found])
    else:
        _tell(found)
    if any(one.finding.wrong and not one.fixed for one in found):
        raise typer.Exit(1)


def _as_json(one: "Diagnosis") -> dict[str, object]:
    told = asdict(one.finding)
    del told["repair"], told["subject"]
    return {**told, "fixable": bool(one.finding.repair), "fixed": one.fixed}


def _tell(found: "list[Diagnosis]") -> None:
    for one in found:
        finding = one.finding
        output.line(f"{'fixed' if one.fixed else finding.severity}: {finding.where}: {finding.what}")
        if not one.fixed:
            does = " (mailpod doctor --fix does it)" if finding.repair else ""
            output.line(f"  {finding.do}{does}")
    wrong = sum(one.finding.wrong and not one.fixed for one in found)
    output.note(f"{wrong} to be looked after" if wrong else "nothing is wrong")
