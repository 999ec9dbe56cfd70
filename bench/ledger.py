"""Whether anything is lost or doubled while everything breaks, for as long as asked."""

import secrets
import tempfile
from pathlib import Path

from tests.e2e.support.own_engine import own_engine
from tests.e2e.support.system import BASE_IMAGE, running_system
from tests.e2e.support.world import IMAGE, SOURCE
from tests.ledger.run import run

from bench.report import Findings, Row
from bench.run_context import Run
from mailpod.engine.docker import DockerEngine
from mailpod.services import images

HOW = (
    "On an engine of its own: the outside sends to three accounts of both stacks and an alias, they to each other and"
    " to the outside, for {minutes:g} minutes. Meanwhile main, accounts, single daemons and the engine are killed, the "
    "disk is full, cables are pulled, accounts are frozen, changed, given the other stack, moved, backed up, "
    "restored, upgraded and rolled back, commands killed in the middle; each of these once before any comes again, in "
    "an order that the seed gives. At the end every message that was acknowledged has to be in its mailbox once and "
    "nowhere else, or back at its sender. To another server a message may go twice (RFC 1047); that is counted. "
    "`bench/run --only ledger --minutes N --seed N` repeats it."
)


def measure(context: Run) -> Findings:
    """One run; fails when a message is lost or doubled."""
    minutes = context.minutes or context.times(10, 1)
    seed = secrets.randbits(32) if context.seed is None else context.seed
    needed = [images.MAIN, images.DNS, images.BACKUP, *images.ACCOUNT.values()]
    images.ensure_images(DockerEngine(), context.say, needed)
    context.engine.images.build(path=str(SOURCE), tag=IMAGE, buildargs={"BASE": BASE_IMAGE}, rm=True)
    with (
        tempfile.TemporaryDirectory(prefix="mailpod-ledger-") as folder,
        own_engine(Path(folder), [*(image.tag for image in needed), IMAGE]) as engine,
        running_system("lodge.test", Path(folder) / "system", engine.place) as system,
    ):
        accounts = [
            system.create(name, "--stack", stack)
            for name, stack in (("first", "classic"), ("second", "dovecot"), ("third", "classic"))
        ]
        report = run(system, engine, accounts, minutes * 60, seed, context.say)
    verdict = report.verdict
    twice = len(verdict.twice) - report.sent_twice
    found = Findings("ledger", HOW.format(minutes=minutes), notes=[str(report), *report.wrong])
    found.rows = [
        Row("acknowledged messages in their place", f"{verdict.delivered} and {verdict.returned} returned"),
        Row("lost", str(len(verdict.lost)), target="0", met=not verdict.lost),
        Row(
            "twice in a mailbox",
            str(twice),
            target="0",
            met=not twice,
        ),
        Row("astray", str(len(verdict.astray)), target="0", met=not verdict.astray),
        Row("sent twice to another server", str(report.sent_twice)),
    ]
    return found
