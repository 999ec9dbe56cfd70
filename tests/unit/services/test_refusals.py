from datetime import UTC, datetime, timedelta

import pytest

from mailpod.model.errors import MailpodError
from mailpod.services.refusals import Refusals, refusals
from mailpod.services.status import status


@pytest.fixture
def asked(system):
    system.up("alice", "bob")
    context = system.process()
    accounts = system.store.accounts()
    now = accounts[0].created + timedelta(days=2)

    def ask(*lines):
        context.channel.refusals = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
        return refusals(context, accounts, now)

    ask.now = int(now.timestamp())
    return ask


def test_each_kind_is_counted_and_the_last_one_told(asked):
    now = asked.now
    assert asked(
        f"alice {now - 60} from not bob@example.org",
        f"alice {now - 5} from not carol@example.org",
        f"alice {now - 30} from not dora@example.org",
        f"alice {now - 7} rate 300 messages within an hour",
        f"bob {now} guessing imap from 192.0.2.1 refused",
    ) == [
        Refusals("alice", "from", 3, datetime.fromtimestamp(now - 5, UTC), "not carol@example.org"),
        Refusals("alice", "rate", 1, datetime.fromtimestamp(now - 7, UTC), "300 messages within an hour"),
        Refusals("bob", "guessing", 1, datetime.fromtimestamp(now, UTC), "imap from 192.0.2.1 refused"),
    ]


def test_what_is_older_than_a_day_is_not_told(asked):
    assert asked(f"alice {asked.now - 90_000} from old") == []


def test_what_an_older_account_of_the_same_name_did_is_not_told(system):
    system.up("alice")
    context = system.process()
    account = system.store.account("alice")
    made = int(account.created.timestamp())
    context.channel.refusals = f"alice {made - 1} from its\ngone {made + 1} from its\n".encode()
    assert refusals(context, [account], account.created + timedelta(seconds=2)) == []


@pytest.mark.parametrize("line", ["", "alice", "alice x from y", "alice 99999999999999999999 from y", "alice ٣ from y"])
def test_a_line_that_was_left_half_written_is_none(asked, line):
    assert asked(line) == []


def test_status_tells_them(system):
    system.up("alice")
    context = system.process()
    epoch = int(system.store.account("alice").created.timestamp())
    context.channel.refusals = f"alice {epoch} from not bob@example.org\n".encode()
    [one] = status(context).refusals
    assert (one.account, one.kind, one.count) == ("alice", "from", 1)


def test_status_without_main_tells_none(system):
    system.up("alice")
    context = system.process()

    def down(_verb):
        raise MailpodError("main: down")

    context.channel.main = down
    assert status(context).refusals is None
    del system.world.containers["mailpod-main"]
    assert status(system.process()).refusals is None
