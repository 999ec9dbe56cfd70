import json

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.model import loglines

from mailpod.model.errors import NotFound
from mailpod.model.records import now
from mailpod.services import accounts, freezing, metrics


@pytest.fixture
def club(system):
    """A system in which some mail has gone through main."""
    system.up("alice", "bob")
    system.world.containers["mailpod-main"].output = loglines.MAIN.splitlines()
    return system


def numbers(context):
    """Every sample by its name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text(context))
        for sample in family.samples
    }


def test_what_runs_and_what_it_takes(club):
    freezing.freeze(club.process(), "bob")
    context = club.process()
    context.channel.room = b"5000\n3\n700\n"
    found = numbers(context)
    assert [found["mailpod_up", name] for name in ("main", "alice", "bob")] == [1, 1, 0]
    assert (found["mailpod_frozen", "bob"], found["mailpod_memory_bytes", "alice"]) == (1, 4096)
    assert (found["mailpod_mailbox_messages", "alice"], found["mailpod_mailbox_bytes", "alice"]) == (3, 700)
    assert found["mailpod_volume_free_bytes", "alice"] == 5000
    assert ("mailpod_mailbox_bytes", "bob") not in found
    assert found["mailpod_certificate_end_timestamp_seconds", "main"] > now().timestamp()


def test_what_waits_by_queue_and_for_how_long(club):
    context = club.process()
    one = {"queue_id": "A", "message_size": 1, "sender": "", "recipients": [{"address": "x@y.example"}]}
    entries = [one | {"queue_name": name, "arrival_time": 1795861842} for name in ("deferred", "deferred", "hold")]
    context.channel.queue = "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()
    found = numbers(context)
    assert [found["mailpod_queue_messages", "main", name] for name in ("deferred", "hold", "active")] == [2, 1, 0]
    assert found["mailpod_queue_oldest_seconds", "alice"] == 0


def test_messages_are_counted_once_however_often_they_are_asked_for(club):
    found = [numbers(club.process()) for _ in range(3)]
    assert [one["mailpod_messages_received_total",] for one in found] == [1, 1, 1]
    more = loglines.MAIN.replace("2026-11-28T10:", "2026-11-28T11:")
    club.world.containers["mailpod-main"].output += more.splitlines()
    later = numbers(club.process())
    assert later["mailpod_messages_received_total",] == 2
    assert later["mailpod_messages_delivered_total", "alice"] == 2
    assert later["mailpod_messages_refused_total", "5"] == 4
    assert later["mailpod_messages_spam_total", "reject"] == 2


def test_a_log_that_was_begun_anew_takes_nothing_back(club):
    """main's container was replaced."""
    before = numbers(club.process())
    club.world.containers["mailpod-main"].output = []
    after = numbers(club.process())
    assert after["mailpod_messages_sent_total",] == before["mailpod_messages_sent_total",]


def test_without_main_there_are_the_numbers_there_are(club):
    numbers(club.process())
    del club.world.containers["mailpod-main"]
    found = numbers(club.process())
    assert (found["mailpod_up", "main"], found["mailpod_messages_received_total",]) == (0, 1)
    assert ("mailpod_queue_messages", "main", "deferred") not in found


def test_counts_that_were_damaged_begin_anew(club):
    numbers(club.process())
    (club.folder / "counts.json").write_text('{"until": ')
    assert numbers(club.process())["mailpod_messages_received_total",] == 1


def test_nothing_tells_who_writes_to_whom(club):
    said = metrics.text(club.process())
    assert "@" not in said
    assert "outside.test" not in said


def test_an_account_that_is_gone_has_no_numbers(club):
    numbers(club.process())
    accounts.delete(club.process(), "alice", purge=True)
    assert not [key for key in numbers(club.process()) if "alice" in key]


def test_a_file_is_replaced_whole(club, tmp_path):
    path = tmp_path / "mailpod.prom"
    metrics.write(club.process(), path)
    assert path.read_text().startswith("# HELP mailpod_up ")
    assert [one.name for one in tmp_path.glob("*.prom*")] == ["mailpod.prom"]


def test_before_the_first_up_there_are_none(system):
    with pytest.raises(NotFound):
        metrics.text(system.process())
