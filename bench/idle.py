"""How soon a waiting mail client learns of a new message."""

import smtplib
import time

from bench.clients import Imap
from bench.peer import peer
from bench.report import Findings, Row, percentile
from bench.run_context import Run
from bench.system import HOST

HOW = (
    "One message after the other to an account, over one SMTP connection to main's port 25; the time from the final "
    "250 until an IMAP client that is in IDLE, logged in through main with TLS, reads EXISTS. Baseline: the same into "
    "the one container with Postfix and Dovecot (IMAP without TLS), which tells its clients after half a second of its "
    "own choice."
)


def measure(run: Run) -> Findings:
    """Send and wait, again and again."""
    count = run.times(100, 10)
    account = run.system.ensure(1)[0]
    with run.system.imap(account.name, account.password) as client:
        ours = latencies(client, run.system.port(25), account.address, count)
    with peer(run.engine, run.image, run.label) as baseline:
        address, _ = baseline.fresh()
        with baseline.imap(address) as client:
            theirs = latencies(client, baseline.smtp, address, count)
    found = Findings("idle", HOW)
    for percent, target in ((50, 0.060), (99, 0.0)):
        mine, other = percentile(ours, percent), percentile(theirs, percent)
        found.rows.append(
            Row(
                f"acknowledged → seen in IDLE, p{percent}",
                f"{mine * 1000:.0f} ms",
                f"{other * 1000:.0f} ms",
                mine / other,
                f"aim < {target * 1000:.0f} ms" if target else "",
                mine < target if target else None,
            )
        )
    return found


def latencies(client: Imap, port: int, address: str, count: int) -> list[float]:
    """Seconds from each acknowledgement of port `port` until the client knew."""
    client.idle()
    taken = []
    with smtplib.SMTP(HOST, port, local_hostname="client.outside.test") as sender:
        for number in range(-2, count):  # the first ones start the daemons
            text = f"From: a@outside.test\r\nTo: {address}\r\nSubject: idle {number}\r\n\r\nHello.\r\n"
            sender.sendmail("a@outside.test", [address], text)
            acknowledged = time.monotonic()
            seen = client.wait_for_new(60)
            if number >= 0:
                taken.append(seen - acknowledged)
            time.sleep(0.1)
    return taken
