"""What only an engine of the test's own can be put through: being killed, and a disk that is full."""

import secrets
import shutil
import signal
import smtplib
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest
from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import facts
from tests.e2e.support.mail import compose, token
from tests.e2e.support.own_engine import OwnEngine, own_engine
from tests.e2e.support.system import Account, System, running_system
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until
from tests.e2e.support.world import IMAGE as OUTSIDE
from tests.ledger.run import run

from mailpod.engine.docker import DockerEngine
from mailpod.model.records import DEFAULT_STACK
from mailpod.services.images import ACCOUNT, BACKUP, DNS, ensure_images

# In the process that has less to do, with accounts of both stacks.
pytestmark = pytest.mark.stack("classic")


@pytest.fixture(scope="module")
def engine(system: System, alice: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """A second engine with the images that the first one runs."""
    images = {system.main.attrs["Config"]["Image"], system.engine.account(alice.name).attrs["Config"]["Image"], OUTSIDE}
    folder = tmp_path_factory.mktemp("engine")
    ensure_images(DockerEngine(), print, [BACKUP])
    # `up` wants the image of a new account that asks for nothing.
    with own_engine(folder, sorted(images | {ACCOUNT[DEFAULT_STACK].tag, DNS.tag, BACKUP.tag})) as made:
        yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def lodge(engine: OwnEngine, stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of another domain on that engine."""
    with running_system("lodge.test", tmp_path_factory.mktemp("lodge"), engine.place, stack) as made:
        yield made


@pytest.fixture(scope="module")
def frozen(lodge: System) -> Account:
    """An account that is not to come up again."""
    account = lodge.create("frozen")
    lodge.cli.ok("account", "freeze", account.name)
    return account


def test_an_ipv4_client_is_seen_as_who_it_is(lodge: System) -> None:
    """From another machine to the published ports: in the Received header and in main's logs."""
    account = lodge.create("seen")
    word = token()
    with lodge.mx() as session:
        assert session.sock
        client = session.sock.getsockname()[0]
        session.send_message(compose("x@outside.test", account.short_address, word))
    assert not client.startswith("127.")
    assert f"[{client}]" in str(lodge.wait_for(account, word).get_all("Received"))
    for seen in (f"client=unknown[{client}]", f"rip={client},"):
        until(lambda seen=seen: seen in lodge.main.logs(tail=300).decode(), f"{seen} in main's log")  # type: ignore[misc]


def test_a_part_of_the_machines_own_network_is_reached_once_the_machine_answers_for_it(
    engine: OwnEngine, lodge: System
) -> None:
    """Neighbour proxying: the doctor finds that it is missing, and with it the outside reaches the account."""
    account = lodge.create("near")
    assert "nobody answers" in told_of_neighbours(engine, lodge)
    with pytest.raises(OSError, match=r"timed out|No route to host"):
        socket.create_connection((account.ipv6, 22), timeout=5)
    shown = lodge.cli.ok("status", "--json").json()
    engine.answer_for(shown["main"]["ipv6"], shown["beside"][0]["ipv6"], *(one["ipv6"] for one in shown["accounts"]))
    with socket.create_connection((account.ipv6, 22), timeout=10) as connection:
        assert connection.recv(100).startswith(b"SSH-2.0-")
    assert "nobody answers" not in told_of_neighbours(engine, lodge)


def told_of_neighbours(engine: OwnEngine, lodge: System) -> str:
    """What the doctor finds on the network between the engine and the machine."""
    cli = Cli(lodge.cli.state, lodge.cli.instance, within=engine.within_all)
    found = cli.run("doctor", "--json", "--time-server", "none").json()
    return "\n".join(one["what"] for one in found if one["where"] == "eth0")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_every_acknowledged_message_arrives_once_although_the_engine_restarts(
    engine: OwnEngine, lodge: System, frozen: Account, how: signal.Signals
) -> None:
    """The engine killed or restarted in the middle of traffic; main and accounts come back without being asked, but
    not one that is frozen."""
    accounts = [lodge.create(f"{how.name.lower()}-{stack}", "--stack", stack) for stack in sorted(ACCOUNT)]
    traffic = Traffic(lodge, [account.short_address for account in accounts])
    with traffic.flowing():
        lodge.engine.close()
        engine.end(how)
        engine.start()
        lodge.engine.connect()
        until(lambda: lodge.banner(25).startswith("220"), "main's SMTP banner", 40)
    lodge.wait_until_up()
    for account in accounts:
        until(partial(lodge.reaches, account), f"{account.name} to be back", 60)
    lodge.retry_now()
    arrived_once(lodge, accounts, traffic.acknowledged)
    assert not facts(lodge.engine.account(frozen.name))["State"]["Running"]
    assert lodge.cli.ok("apply", "--json").json() == []


def test_a_full_disk_loses_nothing_and_is_told(engine: OwnEngine, lodge: System) -> None:
    """Mail is put off with 4xx or kept; `create` fails in two lines and leaves nothing; then all goes on."""
    account = lodge.create("thrifty")
    kept = lodge.post(account.short_address)
    lodge.wait_for(account, kept)
    before = lodge.engine.objects()
    acknowledged = [kept]
    engine.fill_disk()
    try:
        for _ in range(20):
            word = token()
            message = compose("x@outside.test", account.short_address, word, body="x" * 70 + "\n" + "y\n" * 50_000)
            with suppress(OSError, smtplib.SMTPException), lodge.mx() as session:
                refusal = session.send_message(message)
                assert refusal == {}
                acknowledged.append(word)
        result = lodge.cli.run("account", "create", "unlucky", "--json")
        assert result.code == 1
        assert len(result.complaint) == 2, result.err
    finally:
        engine.free_disk()
    lodge.cli.ok("apply")
    assert lodge.engine.objects() == before
    lodge.wait_until_up()
    lodge.retry_now()
    acknowledged.append(lodge.post(account.short_address))
    arrived_once(lodge, [account], acknowledged)


@pytest.mark.timeout(600)
def test_whatever_happens_each_message_is_in_its_mailbox_once_or_comes_back(engine: OwnEngine, lodge: System) -> None:
    """Two minutes of kills, cuts, moves, restorings and upgrades; the seed that is told repeats the run (bench/run)."""
    accounts = [
        lodge.create("ledger1"),
        lodge.create("ledger2", "--stack", "dovecot"),
        lodge.create("ledger3"),
    ]
    report = run(lodge, engine, accounts, 120, secrets.randbits(32), print)
    assert report.wrong == [], str(report)
    assert report.verdict.delivered > 200
    assert len(report.happened) >= 4
