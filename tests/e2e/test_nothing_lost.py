"""Whatever is killed, and whenever: each acknowledged message arrives once."""

import json
import os
import shlex
import signal
from collections.abc import Callable

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.mail import compose, smtp, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.wait import until


@pytest.fixture(scope="module")
def pair(system: System) -> list[Account]:
    """Two accounts of the module's own."""
    return [system.create("lossless"), system.create("lossless2")]


Break = Callable[[System, list[Account]], None]
BOUNCE = "Undelivered Mail Returned to Sender"


def kill_account(system: System, accounts: list[Account]) -> None:
    system.engine.account(accounts[0].name).kill("SIGKILL")
    system.apply()


def kill_main(system: System, accounts: list[Account]) -> None:
    assert accounts
    system.main.kill("SIGKILL")
    system.apply()
    system.wait_until_up()


def recreate_account(system: System, accounts: list[Account]) -> None:
    system.engine.account(accounts[0].name).remove(force=True)
    system.apply()


def recreate_main(system: System, accounts: list[Account]) -> None:
    assert accounts
    system.main.remove(force=True)
    system.apply()
    system.wait_until_up()


def stop_account(system: System, accounts: list[Account]) -> None:
    system.engine.account(accounts[0].name).stop(timeout=10)
    system.apply()


def crash_daemons(system: System, accounts: list[Account]) -> None:
    """SIGKILL to every process but the supervisor, in main and in an account."""
    for container in (system.main, system.engine.account(accounts[0].name)):
        script = "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n = 1 ] || [ $n = $$ ] || kill -9 $n; done 2>/dev/null"
        container.exec_run(["sh", "-c", script])
    system.wait_until_up()


@pytest.mark.parametrize(
    "breaking", [kill_account, kill_main, recreate_account, recreate_main, stop_account, crash_daemons]
)
def test_every_acknowledged_message_arrives_once(undamaged: System, pair: list[Account], breaking: Break) -> None:
    """In the middle of traffic from outside to two accounts."""
    bounces = len(undamaged.world.received(BOUNCE))
    traffic = Traffic(undamaged, [account.short_address for account in pair])
    with traffic.flowing():
        breaking(undamaged, pair)
    undamaged.wait_until_up()
    undamaged.retry_now()
    # What was under way in that moment waits once more (minimal_backoff_time).
    arrived_once(undamaged, pair, traffic.acknowledged, seconds=150)
    assert len(undamaged.world.received(BOUNCE)) == bounces


def test_what_an_account_submitted_leaves_once_although_main_is_killed(undamaged: System, pair: list[Account]) -> None:
    """Acknowledged by the account's own submission server: kept there until main takes it, then outside."""
    sender = pair[0]
    words = []
    for number in range(30):
        word = token()
        with undamaged.submission(sender) as session:
            message = compose(sender.short_address, "erin@outside.test", word)
            session.send_message(message, to_addrs=["erin@outside.test"])
            words.append(word)
        if number == 15:
            undamaged.main.kill("SIGKILL")
            undamaged.apply()
            undamaged.wait_until_up()
    undamaged.engine.account(sender.name).exec_run(["postqueue", "-f"])
    undamaged.retry_now()
    for word in words:
        undamaged.world.wait_for(word, seconds=60)
    copies = [len(undamaged.world.received(word)) for word in words]
    # What was under way in that moment may come twice: the outside's "250" was on its way to nobody (RFC 1047).
    assert set(copies[:10] + copies[16:]) == {1}
    assert max(copies) <= 2


def crash(container: Container) -> None:
    """SIGKILL to its first process from outside the engine, which has to notice by itself (`docker kill` is a stop)."""
    before = facts(container)["State"]
    os.kill(before["Pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = facts(container)["State"]
        return bool(now["Running"]) and now["Pid"] != before["Pid"]

    until(is_back, "a container that was started again")


@pytest.mark.parametrize("which", ["account", "main"])
def test_what_crashes_comes_back_by_itself_and_repeats_nothing(
    undamaged: System, pair: list[Account], which: str
) -> None:
    """No `apply`: the engine restarts it, and Postfix tries again in its own time."""
    traffic = Traffic(undamaged, [account.short_address for account in pair], messages=60, connections=4)
    with traffic.flowing():
        crash(undamaged.main if which == "main" else undamaged.engine.account(pair[0].name))
    undamaged.wait_until_up()
    # Not hurried: a second copy is known by the minute it comes in, and main waits one (minimal_backoff_time).
    arrived_once(undamaged, pair, traffic.acknowledged, seconds=200)


def held(container: Container) -> list[str]:
    """The queue that each message of an account's Postfix is in (postqueue(1))."""
    lines = execute(container, "postqueue", "-j")[1].splitlines()
    return [json.loads(line)["queue_name"] for line in lines if line.startswith("{")]


def test_an_account_that_crashes_sends_once_what_it_holds(undamaged: System, pair: list[Account]) -> None:
    """Acknowledged while main is down, on the account's volume since."""
    sender = pair[0]
    undamaged.main.stop(timeout=10)
    container = undamaged.engine.account(sender.name)
    words = [token() for _ in range(10)]
    for word in words:
        message = compose(sender.address, "erin@outside.test", word).as_string()
        script = f"printf %s {shlex.quote(message)} | sendmail -f {sender.address} erin@outside.test"
        assert execute(container, "sh", "-c", script, user="box") == (0, "")
    until(lambda: held(container) == ["deferred"] * len(words), "its messages to be put off", 30)
    crash(container)
    undamaged.main.start()
    undamaged.wait_until_up()
    execute(container, "postqueue", "-f")
    for word in words:
        undamaged.world.wait_for(word, seconds=60)
        assert len(undamaged.world.received(word)) == 1


def test_an_account_that_crashes_before_it_noted_what_main_took_gives_another_no_second_copy(
    undamaged: System, pair: list[Account]
) -> None:
    """Its queue file is there again, as after a kill between main's answer and the end of the delivery."""
    writer, reader = pair
    container = undamaged.engine.account(writer.name)
    word = token()
    undamaged.main.pause()
    message = compose(writer.address, reader.short_address, word).as_string()
    script = f"printf %s {shlex.quote(message)} | sendmail -f {writer.address} {reader.short_address}"
    assert execute(container, "sh", "-c", script, user="box") == (0, "")
    kept = 'cd /data/spool/postfix && [ -n "$(find active -type f)" ] && rm -rf /tmp/kept && cp -a active /tmp/kept'
    until(lambda: execute(container, "sh", "-c", kept, user="postfix")[0] == 0, "a message under way")
    undamaged.main.unpause()
    undamaged.wait_for(reader, word, seconds=60)
    until(lambda: not held(container), "an empty queue")
    for user, script in (
        ("root", "s6-svc -wD -d /run/service/postfix"),
        ("postfix", "mv /tmp/kept/* /data/spool/postfix/active"),
        ("root", "s6-svc -u /run/service/postfix && /usr/lib/mailpod/health/banners 20"),
    ):
        assert execute(container, "sh", "-c", script, user=user)[0] == 0
    until(lambda: not held(container), "an empty queue", 30)
    until(lambda: not undamaged.waiting(reader.address), "main to hand it in")
    once = undamaged.post(reader.short_address)
    undamaged.wait_for(reader, once)
    arrived_once(undamaged, [reader], [word, once])


def test_the_outside_keeps_what_main_did_not_take(undamaged: System, pair: list[Account]) -> None:
    """While main is down an outside mail server's messages wait there, and arrive when main is back."""
    recipient = pair[0]
    undamaged.main.stop(timeout=10)
    word = token()
    with smtp(undamaged.world.address, 25) as session:
        session.send_message(compose("erin@outside.test", recipient.short_address, word))
    until(undamaged.world.queue, "the message in the outside's queue")
    undamaged.apply()
    undamaged.wait_until_up()
    undamaged.wait_for(recipient, word, seconds=40)


def test_a_mailbox_and_its_settings_survive_everything(undamaged: System, pair: list[Account]) -> None:
    """Down and up again: mail, password, folders and the certificate's authority are as they were."""
    account = pair[0]
    word = undamaged.post(account.address)
    undamaged.wait_for(account, word)
    before = undamaged.cli.ok("account", "list", "--json").json()
    undamaged.cli.ok("down")
    assert not [c for c in undamaged.engine.containers() if c.labels.get("mailpod.role")]
    undamaged.up_again()
    undamaged.wait_for(account, word)
    assert undamaged.cli.ok("ca").out == undamaged.authority.read_text()
    after = undamaged.cli.ok("account", "list", "--json").json()
    for one in (*before, *after):
        del one["ipv4"], one["ipv6"]
    assert after == before
