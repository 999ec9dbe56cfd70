from datetime import UTC, datetime

import pytest
from tests.unit.model import loglines

from mailpod.model.errors import EngineUnreachable, NotFound
from mailpod.services import freezing, tracing

SINCE = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)


@pytest.fixture
def club(system):
    """A system whose containers have said what the recorded ones have; nobody there is called carol."""
    system.up("alice", "bob", "carol")
    for name, said in (("main", loglines.MAIN), ("alice", loglines.ALICE), ("bob", loglines.BOB)):
        system.world.containers[f"mailpod-{name}"].output = said.splitlines()
    return system


def trace(system, what, since=SINCE):
    return tracing.trace(system.process(), what, since)


def read(system):
    return {line.removeprefix("reading the logs of ") for line in system.said if "reading the logs" in line}


@pytest.mark.parametrize(
    "what", ["in@test.invalid", "<in@test.invalid>", "main:4jc64d6NXzzCSyy", "4jc64f0LPDzCT09", "alice@club.test"]
)
def test_a_message_is_found_by_its_id_its_queue_id_or_an_address(club, what):
    found = trace(club, what)
    assert "<in@test.invalid>" in {one.message_id for one in found}
    assert found[0].outcomes[-1].text == "in mailbox of alice (INBOX)"


def test_only_the_logs_of_those_it_has_passed_are_read(club):
    trace(club, "in@test.invalid")
    assert read(club) == {"alice"}


def test_what_main_does_not_know_of_is_looked_for_everywhere(club):
    """It waits in the account that wrote it."""
    club.world.containers["mailpod-main"].output = []
    (found,) = trace(club, "out@test.invalid")
    assert found.outcomes[0].text == "handed to main; its log tells no more"
    assert read(club) == {"alice, bob, carol"}


def test_a_tag_does_not_count(club):
    (found,) = trace(club, "bob@club.test")
    assert found.outcomes[0].recipient == "box+tag@bob.club.test"


def test_procmails_own_file_is_asked_for_the_folder(club):
    account = club.store.account("bob").model_copy(update={"stack": "classic"})
    club.store.save_account(account)
    context = club.process()
    context.channel.answers = {"folders": b"4jc64f3hdlzCT0L\tJunk\nhalf a li"}
    (found,) = tracing.trace(context, "bob@club.test", SINCE)
    assert found.outcomes[0].text == "in mailbox of bob (Junk)"


def test_a_frozen_accounts_log_is_still_there(club):
    freezing.freeze(club.process(), "alice")
    (found,) = trace(club, "in@test.invalid")
    assert found.outcomes[0].text == "in mailbox of alice (INBOX)"


def test_an_account_without_a_container_leaves_the_end_open(club):
    del club.world.containers["mailpod-alice"]
    (found,) = trace(club, "in@test.invalid")
    assert (found.outcomes[0].kind, found.outcomes[0].text) == ("unknown", "handed to alice; its log tells no more")


def test_what_is_older_is_not_told(club):
    assert not trace(club, "in@test.invalid", datetime(2026, 11, 29, tzinfo=UTC))


def test_without_main_there_is_nothing_to_begin_with(club):
    del club.world.containers["mailpod-main"]
    with pytest.raises(NotFound, match="main has no container"):
        trace(club, "in@test.invalid")


def test_an_engine_that_does_not_answer_is_said_so(club):
    club.world.reachable = False
    with pytest.raises(EngineUnreachable):
        trace(club, "in@test.invalid")
