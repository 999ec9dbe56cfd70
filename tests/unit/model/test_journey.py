from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model import loglines

from mailpod.model.journey import Logbook
from mailpod.model.maillog import parse


def events(text: str):
    return [event for line in text.splitlines() if (event := parse(line))]


def journey(message_id: str, folders=None, **logs: str):
    read = {name: events(text) for name, text in logs.items()}
    (found,) = Logbook(read, folders).journeys(lambda entry: entry.message_id == f"<{message_id}@test.invalid>")
    return found


def told(found):
    return [(one.recipient, one.kind, one.text) for one in found.outcomes]


def test_from_outside_into_a_mailbox():
    found = journey("in", main=loglines.MAIN, alice=loglines.ALICE)
    assert (found.message_id, found.sender) == ("<in@test.invalid>", "someone@outside.test")
    assert told(found) == [("box@alice.club.test", "delivered", "in mailbox of alice (INBOX)")]
    assert [(step.element, step.what) for step in found.steps] == [
        ("main", "came from outside, unknown[172.22.120.1]"),
        ("main", "Rspamd: no action, 1.50 of 20.00 points"),
        ("alice", "came from main"),
        ("main", "handed to alice for box@alice.club.test, there 4jc64f0LPDzCT09"),
        ("alice", "put into INBOX"),
    ]
    assert found.elements == {"main", "alice"}


def test_procmail_tells_the_folder_in_a_file_of_its_own():
    read = {"main": events(loglines.MAIN), "bob": events(loglines.BOB)}
    for folders, text in (
        ({("bob", "4jc64f3hdlzCT0L"): "Junk"}, "in mailbox of bob (Junk)"),
        ({("alice", "4jc64f3hdlzCT0L"): "Junk"}, "delivered in bob; its log does not tell the folder"),
    ):
        (found,) = Logbook(read, folders).journeys(lambda entry: "bob+tag@club.test" in entry.addresses())
        assert [one.text for one in found.outcomes] == [text]


def test_what_an_account_does_not_tell_is_said_so():
    """Its container was made anew meanwhile, and the log went with the old one; or its machine is down."""
    assert told(journey("in", main=loglines.MAIN, alice="")) == [
        ("alice@club.test", "unknown", "handed to alice; its log tells no more")
    ]
    assert told(journey("in", main=loglines.MAIN)) == [
        ("alice@club.test", "unknown", "handed to alice; its log cannot be read")
    ]


def test_each_recipient_has_an_end_of_its_own():
    """One took it, one did not, one is tried again: the message was requeued for that."""
    found = journey("out", main=loglines.MAIN, alice=loglines.ALICE)
    assert [(to, kind) for to, kind, _ in told(found)] == [
        ("erin@outside.test", "sent"),
        ("refused@outside.test", "returned"),
        ("later@outside.test", "waiting"),
    ]
    assert {step.queue_id for step in found.steps if step.element == "main"} == {"4jc64f6YFJzCT0W", "4jc6B76RJ4zCTHG"}


def test_returned_dropped_or_held_by_the_operator():
    for more, kind in ((loglines.RETURNED, "returned"), (loglines.DROPPED, "dropped"), (loglines.HELD, "held")):
        found = journey("out", main=loglines.MAIN + more, alice=loglines.ALICE)
        assert found.outcomes[-1].kind == kind
        assert len(found.outcomes) == 3


def test_refused():
    (found,) = Logbook({"main": events(loglines.MAIN)}).journeys(lambda one: "nobody@club.test" in one.addresses())
    assert [(one.kind, one.recipient) for one in found.outcomes] == [("refused", "nobody@club.test")]
    assert found.steps[0].queue_id == ""
    assert told(journey("gtube", main=loglines.MAIN)) == [
        ("alice@club.test", "refused", "refused: 5.7.1 Gtube pattern")
    ]


def test_one_that_asks_to_come_again_does_not_refuse():
    later = loglines.MAIN.replace("550 5.1.1 <nobody", "450 4.1.1 <nobody")
    (found,) = Logbook({"main": events(later)}).journeys(lambda one: "nobody@club.test" in one.addresses())
    assert found.outcomes[0].text.startswith("asked to come again later: 450")


def test_what_a_filter_forwards_belongs_to_what_it_had():
    found = journey("fwd", alice=loglines.FORWARDED)
    assert [(to, kind) for to, kind, _ in told(found)] == [
        ("box@alice.club.test", "filtered"),
        ("erin@outside.test", "unknown"),
    ]


def test_the_same_id_in_two_queues_is_two_messages():
    """Ids are made of the time and the number of a file."""
    same = loglines.BOB.replace("4jc64f3hdlzCT0L", "4jc64d6NXzzCSyy")
    found = journey("tag", main=loglines.MAIN, bob=same)
    assert {step.element for step in found.steps} == {"bob"}


@given(st.lists(st.sampled_from((loglines.MAIN + loglines.RETURNED + loglines.ALICE).splitlines()), max_size=30))
def test_lines_may_be_missing_or_come_in_any_order(lines):
    """A log that was cut, or machines whose clocks differ."""
    read = {"main": events("\n".join(lines)), "alice": events("\n".join(lines[::2]))}
    for found in Logbook(read).journeys(lambda _: True):
        assert found.elements
