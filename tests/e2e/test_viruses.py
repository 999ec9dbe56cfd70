"""Where the operator has ClamAV look for viruses: one is refused, and a scanner that is down stops no mail."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.e2e.support.engine import LABEL_ROLE, execute, put_file
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

# Main's doing: once, in the process that has less to do.
pytestmark = pytest.mark.stack("classic")

# What every scanner takes for a virus (eicar.org), in two parts: this file is none.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
# A signature of the operator's own: those of ClamAV's makers are on the Internet.
SIGNATURE = f"Eicar-Test:0:0:{EICAR.encode().hex()}\n"


def infected(sender: str, recipient: str, word: str) -> EmailMessage:
    message = compose(sender, recipient, word)
    message.add_attachment(EICAR.encode(), maintype="application", subtype="zip", filename="invoice.zip")
    return message


@pytest.fixture(scope="module", autouse=True)
def scanner(system: System) -> Iterator[None]:
    """ClamAV, with that one signature."""
    system.cli.ok("up", system.domain, "--antivirus", "clamav", seconds=600)
    system.world.attach(system.main)
    [container] = [one for one in system.engine.containers() if one.labels.get(LABEL_ROLE) == "antivirus"]
    put_file(container, "/data/signatures", "own.ndb", SIGNATURE.encode())
    until(lambda: container.exec_run(["/usr/lib/mailpod/probe"]).exit_code == 0, "ClamAV", 40, every=0.5)
    yield
    system.cli.ok("up", system.domain, "--antivirus", "none")
    system.world.attach(system.main)
    system.wait_until_up()
    assert not [one for one in system.engine.containers() if one.labels.get(LABEL_ROLE) == "antivirus"]


def test_a_virus_from_outside_is_refused(system: System, alice: Account) -> None:
    """While the sender's server waits, so that nobody gets a report of it."""
    message = infected("someone@outside.test", alice.short_address, token())
    with system.mx() as session, pytest.raises(smtplib.SMTPDataError, match="virus") as refusal:
        session.send_message(message, to_addrs=[alice.short_address])
    assert refusal.value.smtp_code == 554
    assert not system.waiting(alice.address)


def test_a_virus_that_an_account_sends_comes_back_to_its_owner(system: System, alice: Account, bob: Account) -> None:
    word = token()
    system.submit(alice, infected(alice.short_address, bob.short_address, word), bob.short_address)
    with system.mailbox(alice) as mailbox:
        [report] = until(lambda: mailbox.anywhere(word), "a report")
    assert "holds a virus" in report.as_string()
    with system.mailbox(bob) as mailbox:
        assert not mailbox.count(word)


def test_a_virus_does_not_leave_as_what_has_no_sender(system: System, alice: Account) -> None:
    """Only a report may hold one, and tell ours alone."""
    container = system.engine.account(alice.name)
    message = infected(alice.short_address, "erin@outside.test", token()).as_string()
    script = "printf %s \"$1\" | sendmail -f '' erin@outside.test"
    code, said = execute(container, "sh", "-c", script, "sh", message.replace("\r\n", "\n"), user="box")
    assert code == 0, said

    def refused() -> bool:
        lines = container.logs().splitlines()
        return any(b"to=<erin@outside.test>" in line and b"holds a virus" in line for line in lines)

    until(refused, "a refusal")


def test_other_mail_flows_with_the_scanner_or_without(system: System, alice: Account) -> None:
    system.wait_for(alice, system.post(alice.short_address))
    [container] = [one for one in system.engine.containers() if one.labels.get(LABEL_ROLE) == "antivirus"]
    container.stop()
    system.wait_for(alice, system.post(alice.short_address))
    beside = {one["name"]: one["observed"] for one in system.cli.ok("status", "--json").json()["beside"]}
    assert beside["antivirus"] == "stopped"
    assert "not scanned for viruses" in system.cli.ok("status").out
