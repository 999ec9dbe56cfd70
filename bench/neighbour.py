"""What a quiet account notices of one that takes all it can get."""

import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from docker.models.containers import Container

from bench.clients import Imap
from bench.peer import peer
from bench.report import Findings, Row, percentile
from bench.run_context import Run
from bench.system import HOST, Failed

HOW = (
    "{rounds} rounds for one quiet account: a message to port 25, and the time from its final 250 until the file "
    "lies in the Maildir; then five times NOOP and FETCH of a message in an open IMAP session, through main with "
    "TLS. First beside an idle neighbour, then while the owner of another account, who has a shell in it, lets 16 "
    "processes count, four send mail to the account itself through Postfix's `sendmail`, one write and sync 1 GB "
    "over and over (its quota is 500 MB), and starts further processes up to its limit, at most 1,000. Its limits "
    "are those of every new account. Baseline: the same by one user of the one container with Postfix and "
    "Dovecot. A figure is quiet → disturbed; the ratio is how many times more mailpod's grew than the baseline's."
)
_GROWTH = 1.5
_EACH = 5
_SETTLED = 5.0

# Perl, whose fork says that it failed instead of ending the program.
ABUSE = r"""
my ($folder, $address) = @ARGV;
sub child {
    my ($work) = @_;
    my $pid = fork;
    return $pid if !defined $pid || $pid;
    $work->() while 1;
}
child(sub { 1 }) for 1 .. 16;
child(sub {
    my $block = "\0" x 1_000_000;
    for my $number (1 .. 10) {
        open(my $file, '>', "$folder/junk.$number") or next;
        syswrite $file, $block for 1 .. 100;
        $file->sync;
    }
}) if require IO::Handle;
child(sub {
    open(my $mail, '|-', '/usr/sbin/sendmail', '-i', $address) or return sleep 1;
    print {$mail} "Subject: noise\n\n", "noise\n" x 500;
    close $mail;
}) for 1 .. 4;
for (1 .. 1000) {
    select(undef, undef, undef, 0.05) until defined child(sub { sleep 600 });
}
sleep 600;
"""


@dataclass(frozen=True)
class Felt:
    """Seconds, of every message and of every command."""

    delivered: list[float]
    answered: list[float]


@dataclass(frozen=True)
class House:
    """Where two live together.

    Attributes:
        port: of SMTP. `address`, `folder`: of the quiet one, and where its new mail lies on this machine.
        noisy: the container of the other; `user`, `home` and `own`: who runs the abuse there, where, and its address.
    """

    port: int
    address: str
    folder: Path
    open: Callable[[], Imap]
    noisy: Container
    user: str
    home: str
    own: str


def measure(run: Run) -> Findings:
    """Quiet, then disturbed; mailpod, then the baseline."""
    rounds = run.times(150, 15)
    found = Findings("neighbour", HOW.format(rounds=rounds))
    system = run.system
    system.up()
    quiet, noisy = system.create("quiet"), system.create("noisy", "--quota", "500m")
    try:
        ours = _both(
            run,
            House(
                system.port(25),
                quiet.address,
                system.maildir(quiet.name),
                lambda: system.imap(quiet.name, quiet.password),
                system.container(noisy.name),
                "box",
                "/data/home",
                noisy.address,
            ),
            rounds,
        )
    finally:
        system.delete([noisy.name, quiet.name])
    with peer(run.engine, run.image, run.label) as baseline:
        address, folder = baseline.fresh()
        own, _ = baseline.fresh()
        house = House(
            baseline.smtp, address, folder, lambda: baseline.imap(address), baseline.container, "nobody", "/tmp", own
        )
        theirs = _both(run, house, rounds)
    for what, part in (("delivered", lambda felt: felt.delivered), ("NOOP and FETCH", lambda felt: felt.answered)):
        for percent in (50, 99):
            mine, other = (tuple(percentile(part(felt), percent) for felt in pair) for pair in (ours, theirs))
            growth = mine[1] / mine[0]
            found.rows.append(
                Row(
                    f"quiet account beside a noisy one: {what}, p{percent}",
                    _change(mine),
                    _change(other),
                    growth / (other[1] / other[0]),
                    f"≤ {_GROWTH} times quiet" if percent == 99 else "",
                    growth <= _GROWTH if percent == 99 else None,
                )
            )
    return found


def _both(run: Run, house: House, rounds: int) -> tuple[Felt, Felt]:
    quiet = _felt(house, rounds)
    house.noisy.exec_run(["perl", "-e", ABUSE, house.home, house.own], user=house.user, detach=True)
    time.sleep(_SETTLED)
    run.say("disturbing")
    return quiet, _felt(house, rounds)


def _felt(house: House, rounds: int) -> Felt:
    delivered: list[float] = []
    answered: list[float] = []
    with smtplib.SMTP(HOST, house.port, local_hostname="client.outside.test") as sender, house.open() as client:
        for number in range(-2, rounds):  # the first ones start the daemons
            before = _names(house.folder)
            text = f"From: a@outside.test\r\nTo: {house.address}\r\nSubject: quiet {number}\r\n\r\nHello.\r\n"
            sender.sendmail("a@outside.test", [house.address], text)
            acknowledged = time.monotonic()
            while _names(house.folder) <= before:
                if time.monotonic() - acknowledged > 120:
                    raise Failed("a message did not arrive within 120 s")
                time.sleep(0.001)
            arrived = time.monotonic()
            # IMAP moves what it has shown out of the folder.
            client.command("SELECT INBOX")
            for _ in range(_EACH):
                start = time.monotonic()
                client.command("NOOP")
                client.command("FETCH 1 (BODY.PEEK[])")
                if number >= 0:
                    answered.append(time.monotonic() - start)
            if number >= 0:
                delivered.append(arrived - acknowledged)
            time.sleep(0.05)
    return Felt(delivered, answered)


def _names(folder: Path) -> set[str]:
    try:
        return {one.name for one in folder.iterdir()}
    except FileNotFoundError:
        return set()


def _change(pair: tuple[float, float]) -> str:
    return f"{pair[0] * 1000:.0f} → {pair[1] * 1000:.0f} ms ({pair[1] / pair[0]:.1f} times)"
