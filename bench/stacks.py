"""The stacks beside each other."""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import get_args

from bench.clients import Imap
from bench.idle import latencies
from bench.memory import by_process, sampled
from bench.peer import tools
from bench.report import Findings, Row, megabytes, percentile, seconds
from bench.run_context import Run
from bench.system import Account, Failed, System
from bench.throughput import Load, accounts_of, load, rate
from mailpod.model.records import Stack

MAILBOX = 20_000
WORD = "hippopotamus"
HOW = (
    "The stack `dovecot`, and in the column of the baseline the stack `classic`, with one main in one run, alternately "
    "where it is repeated. Idle: as in `memory`, after a login. Create: as in `create`. Delivery: as in `throughput`, "
    "{count:,} messages, {times} times. IDLE: as in `idle`. A mailbox of {mailbox:,} messages of about 2 kB, put into "
    "`new` beforehand: opened (SELECT, and the flags of all), then asked for a word that stands in the bodies of ten "
    "(SEARCH BODY); then both again."
)
_STACKS = get_args(Stack)
_DOVECOT, _CLASSIC = "dovecot", "classic"


def measure(run: Run) -> Findings:
    """All of it, for both."""
    count, times = run.times(1000, 300), run.times(3, 1)
    mailbox = run.times(MAILBOX, 500)
    found = Findings("stacks", HOW.format(count=count, times=times, mailbox=mailbox))
    system = run.system
    system.up()
    made: dict[str, list[Account]] = {stack: [] for stack in _STACKS}
    for number in range(run.times(10, 2)):
        for stack in _STACKS:
            made[stack].append(system.create(f"{stack}{number}", "--stack", stack))
    try:
        _memory(run, found, made)
        _compare(found, "create an account until it answers", {s: [a.answered for a in made[s]] for s in _STACKS})
        _delivery(run, found, made, count, times)
        _idle(run, found, made)
        _large(found, system, made, mailbox)
    finally:
        system.delete([account.name for accounts in made.values() for account in accounts], at_once=4)
    return found


def _memory(run: Run, found: Findings, made: dict[str, list[Account]]) -> None:
    containers = {stack: run.system.container(made[stack][0].name) for stack in _STACKS}
    run.say("idling")
    time.sleep(run.times(90, 35))
    samples, _ = sampled(containers, run.times(60, 10))
    mine, other = (statistics.median(samples[stack]) for stack in (_DOVECOT, _CLASSIC))
    what = f"idle account among {sum(map(len, made.values()))}, PSS of its processes"
    found.rows.append(
        Row(
            f"dovecot | classic: {what}", megabytes(mine), megabytes(other), mine / other, "≤ 8 MB (aim 6)", mine <= 8e6
        )
    )
    for stack, container in containers.items():
        found.notes.append(f"processes of {stack}: {by_process(container)}")


def _delivery(run: Run, found: Findings, made: dict[str, list[Account]], count: int, times: int) -> None:
    with tools(run.engine, run.image, run.label) as source:
        for boxes in (1, len(made[_DOVECOT])):
            loads: dict[str, list[Load]] = {stack: [] for stack in _STACKS}
            for turn in range(times):
                for stack in _STACKS if turn % 2 else reversed(_STACKS):
                    loads[stack].append(load(run, source, accounts_of(run.system, made[stack][:boxes]), count))
            mine, other = (statistics.median(one.delivered for one in loads[s]) for s in (_DOVECOT, _CLASSIC))
            what = f"dovecot | classic: outside → Maildir, {boxes} account{'s' if boxes > 1 else ''}"
            ratio = mine / other
            found.rows.append(Row(what, rate(loads[_DOVECOT]), rate(loads[_CLASSIC]), ratio, "≥ 0.9", ratio >= 0.9))
            lost = {stack: sum(one.deferred for one in loads[stack]) for stack in _STACKS}
            deferred = f"{what}: deferred or bounced"
            found.rows.append(
                Row(deferred, str(lost[_DOVECOT]), str(lost[_CLASSIC]), None, "0", not any(lost.values()))
            )


def _idle(run: Run, found: Findings, made: dict[str, list[Account]]) -> None:
    taken = {}
    for stack in _STACKS:
        account = made[stack][0]
        with run.system.imap(account.name, account.password) as client:
            taken[stack] = latencies(client, run.system.port(25), account.address, run.times(60, 10))
    for percent in (50, 99):
        mine, other = (percentile(taken[stack], percent) for stack in (_DOVECOT, _CLASSIC))
        what = f"dovecot | classic: acknowledged → seen in IDLE, p{percent}"
        found.rows.append(Row(what, f"{mine * 1000:.0f} ms", f"{other * 1000:.0f} ms", mine / other))


def _large(found: Findings, system: System, made: dict[str, list[Account]], count: int) -> None:
    taken: dict[str, dict[str, float]] = {}
    for stack in _STACKS:
        account = made[stack][-1]
        _fill(system, account, count)
        taken[stack] = {}
        for times in ("first", "again"):
            with system.imap(account.name, account.password) as client:
                taken[stack][f"open {count:,} messages, {times}"] = _timed(partial(_open, client, count))
                taken[stack][f"search a word in {count:,} messages, {times}"] = _timed(partial(_search, client))
    for what in taken[_DOVECOT]:
        _compare(found, what, {stack: [taken[stack][what]] for stack in _STACKS})


def _compare(found: Findings, what: str, taken: dict[str, list[float]]) -> None:
    mine, other = taken[_DOVECOT], taken[_CLASSIC]
    ratio = statistics.median(mine) / statistics.median(other)
    found.rows.append(Row(f"dovecot | classic: {what}", seconds(mine), seconds(other), ratio))


def _fill(system: System, account: Account, count: int) -> None:
    """Put messages into the account's Maildir, a word of its own into ten of them."""
    folder = system.maildir(account.name)
    owner = folder.stat()
    for file in folder.iterdir():
        file.unlink()
    for number in range(count):
        text = " ".join(f"word{number * 7 + one % 50}" for one in range(200))
        if number % (count // 10) == 7:
            text += f" {WORD}"
        path = folder / f"{int(time.time())}.M{number}P1.bench"
        path.write_text(f"From: a@outside.test\r\nTo: {account.address}\r\nSubject: {number}\r\n\r\n{text}\r\n")
        os.chown(path, owner.st_uid, owner.st_gid)


def _open(client: Imap, count: int) -> None:
    client.command("SELECT INBOX")
    if len(client.command("FETCH 1:* (UID FLAGS)")) <= count:
        raise Failed("not all messages are there")


def _search(client: Imap) -> None:
    answer = next(line for line in client.command(f'SEARCH BODY "{WORD}"') if line.startswith("* SEARCH"))
    if len(answer.split()) != 12:
        raise Failed(f"the search found {len(answer.split()) - 2} of 10 messages")


def _timed(act: Callable[[], None]) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start
