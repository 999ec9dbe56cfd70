"""`upgrade` and `rollback`: another version of the images, one container after another, and back."""

import imaplib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.e2e.support.cli import ROOT, Cli, kill_group
from tests.e2e.support.engine import LABEL_ACCOUNT
from tests.e2e.support.system import Account, System
from tests.e2e.support.traffic import Traffic, arrived_once
from tests.e2e.support.versions import version
from tests.e2e.support.wait import until

NOBODY_MAY = {
    "dovecot": {
        "account/dovecot/dovecot/passwords.lua": """
            function auth_password_verify()
                return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH
            end"""
    },
    "classic": {"account/classic/courier/app_password": "#!/bin/sh\nexit 1\n"},
}
"""What lets nobody into the mailbox who has an app password."""
OPERATOR = "main/operator/operator"


@pytest.fixture(scope="module")
def pair(system: System) -> list[Account]:
    """Two accounts of the module's own."""
    return [system.create("canary"), system.create("next")]


@pytest.fixture(scope="module")
def newer(system: System, pair: list[Account], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A version with harmless changes, in the hands of whose operator the system is."""
    assert pair
    mark = secrets.token_hex(8)
    main = (ROOT / "images" / OPERATOR).read_text()
    changes = {"account/base/init/version": mark, OPERATOR: f"{main}# {mark}\n"}
    with version(system, tmp_path_factory.mktemp("newer") / "mailpod", changes) as cli:
        yield cli


@pytest.fixture
def broken(system: System, pair: list[Account], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """Likewise, a version whose accounts answer, and let nobody in."""
    assert pair
    changes = NOBODY_MAY[system.stack] | {"account/base/init/version": secrets.token_hex(8)}
    with version(system, tmp_path_factory.mktemp("broken") / "mailpod", changes) as cli:
        yield cli


def running(system: System, account: Account) -> tuple[str, str]:
    """An account's container and that one's image; empty while there is none."""
    there = [one for one in system.engine.containers() if one.labels.get(LABEL_ACCOUNT) == account.name]
    return (str(there[0].id), there[0].attrs["Config"]["Image"]) if there else ("", "")


@pytest.mark.once
def test_a_canary_that_does_not_work_goes_back_and_the_others_are_not_touched(
    system: System, pair: list[Account], broken: Cli
) -> None:
    """Messages flow to both meanwhile, and each arrives once."""
    canary, other = pair
    before = [running(system, account) for account in pair]
    traffic = Traffic(system, [account.short_address for account in pair], messages=10)
    with traffic.flowing_on():
        ended = broken.run("upgrade", other.name, canary.name, "--canary", canary.name)
    assert ended.code == 1
    assert "canary does not work on its new image" in ended.complaint[0]
    assert "IMAP of canary" in ended.complaint[0]
    after = [running(system, account) for account in pair]
    assert after[0][1] == before[0][1]
    assert after[1] == before[1]
    arrived_once(system, pair, traffic.acknowledged)


def test_an_upgrade_that_was_killed_is_taken_back_by_apply_and_can_be_done_again(
    system: System, pair: list[Account], newer: Cli
) -> None:
    """The owner sees nothing of the check, and a client that was connected through main is soon back."""
    account = pair[0]
    word = system.post(account.address)
    system.wait_for(account, word)
    with system.mailbox(account) as mailbox:
        seen = mailbox.words()
    _, old = running(system, account)
    with newer.started("upgrade", account.name) as process:
        until(lambda: running(system, account)[1] not in {"", old}, "a container on the new image", 90)
        kill_group(process)
    assert f"canary is back on {old}" in newer.ok("apply").err
    assert running(system, account)[1] == old
    with away(system, account) as there:
        [done] = newer.ok("upgrade", account.name, "--json").json()
    assert (done["name"], done["before"]) == (account.name, old)
    assert running(system, account)[1] == done["image"] != old
    with away(system, account) as back:
        newer.ok("rollback", account.name)
    assert running(system, account)[1] == old
    with system.mailbox(account) as mailbox:
        assert mailbox.words() == seen
    # On a machine that is busy with other tests all takes longer, the making of an account too.
    begun = time.monotonic()
    system.create("meanwhile")
    assert min(*there, *back) < max(2, 2 * (time.monotonic() - begun))


@contextmanager
def away(system: System, account: Account) -> Iterator[list[float]]:
    """Seconds from the end of a client's connection through main until it has its mailbox open again."""
    found: list[float] = []
    ready = threading.Event()

    def stay() -> None:
        with system.mailbox(account) as mailbox:
            ready.set()
            try:
                while True:
                    mailbox.session.noop()
                    time.sleep(0.02)
            except (OSError, imaplib.IMAP4.error):
                begun = time.monotonic()
        until(lambda: system.reaches(account), "a login", 30, every=0.02)
        found.append(time.monotonic() - begun)

    thread = threading.Thread(target=stay)
    thread.start()
    assert ready.wait(20)
    yield found
    thread.join(60)


@pytest.mark.once
def test_main_is_upgraded_and_brought_back(undamaged: System, pair: list[Account], newer: Cli) -> None:
    """What was sent meanwhile waited with its sender."""
    old = undamaged.main.attrs["Config"]["Image"]
    traffic = Traffic(undamaged, [pair[1].short_address], messages=10)
    with traffic.flowing_on():
        [done] = newer.ok("upgrade", "main", "--json").json()
        assert (done["before"], undamaged.main.attrs["Config"]["Image"]) == (old, done["image"])
        newer.ok("rollback", "main")
    assert undamaged.main.attrs["Config"]["Image"] == old
    undamaged.world.attach(undamaged.main)
    undamaged.retry_now()
    arrived_once(undamaged, pair, traffic.acknowledged)
