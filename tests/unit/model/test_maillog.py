import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model import loglines

from mailpod.model.maillog import Event, parse

ALL = [
    line
    for text in (loglines.MAIN, loglines.RETURNED, loglines.ALICE, loglines.FORWARDED, loglines.BOB)
    for line in text.splitlines()
]


def only(text: str, part: str) -> Event:
    (line,) = [line for line in text.splitlines() if part in line]
    event = parse(line)
    assert event
    return event


def test_an_attempt_tells_for_whom_where_and_the_id_it_has_there():
    event = only(loglines.MAIN, "orig_to=<alice@")
    assert (event.kind, event.service, event.queue_id, event.link) == (
        "sent",
        "relay/smtp",
        "4jc64d6NXzzCSyy",
        "4jc64f0LPDzCT09",
    )
    assert (event.recipient, event.original) == ("box@alice.club.test", "alice@club.test")
    assert event.peer == "alice.mailpod.internal[172.22.124.0]:25"
    assert event.at == "2026-11-28T10:30:42.075133213Z"


def test_a_reason_may_have_brackets_in_it():
    event = only(loglines.MAIN, "status=bounced")
    assert event.kind == "bounced"
    assert event.text.startswith("host mx.outside.test[198.19.225.2] said: 550")
    assert event.text.endswith("(in reply to RCPT TO command)")


def test_what_is_refused_before_it_has_an_id_tells_from_whom_to_whom_and_why():
    event = only(loglines.MAIN, "NOQUEUE")
    assert (event.kind, event.queue_id, event.sender, event.recipient) == (
        "refused",
        "",
        "someone@outside.test",
        "nobody@club.test",
    )
    assert event.text == "550 5.1.1 <nobody@club.test>: Recipient address rejected: No such account here"


def test_what_a_milter_refuses():
    event = only(loglines.MAIN, "milter-reject")
    assert (event.kind, event.queue_id, event.text) == ("refused", "4jc64g060WzCT0W", "5.7.1 Gtube pattern")


@pytest.mark.parametrize(
    ("part", "verdict", "text"),
    [("<3ae987>", "no action", "1.50 of 20.00"), ("<294405>", "reject", "20.00 of 20.00")],
)
def test_what_rspamd_thinks(part, verdict, text):
    event = only(loglines.MAIN, part)
    assert (event.kind, event.verdict, event.text) == ("judged", verdict, text)


def test_a_message_id_cannot_pass_for_what_rspamd_says_itself():
    line = (
        "2026-11-28T10:30:43.018766072Z (rspamd_proxy) <294405>; proxy; rspamd_task_write_log: "
        "id: <a>, qid: <4jcOTHER0000CT0>, ip: 1.2.3.4, (default: S (reject): [9/9] [], qid: <4jc64g060WzCT0W>, "
        "ip: 172.22.120.1, from: <spam@outside.test>, (default: F (no action): [1.00/20.00] []), len: 1"
    )
    event = parse(line)
    assert event
    assert (event.queue_id, event.verdict) == ("4jc64g060WzCT0W", "no action")


def test_dovecot_tells_the_folder_by_its_session():
    filed = only(loglines.ALICE, "stored mail")
    sent = only(loglines.ALICE, "Saved")
    assert (filed.kind, filed.folder) == ("filed", "INBOX")
    assert filed.link == sent.link == "FjT4BFKtCmtfAAAAmRmghw"


def test_a_filter_that_forwards_tells_no_folder():
    event = only(loglines.FORWARDED, "redirect")
    assert (event.folder, event.text) == ("", "forwarded to <erin@outside.test>")


def test_a_requeued_message_names_its_former_id():
    event = only(loglines.MAIN, "orig_id")
    assert (event.kind, event.queue_id, event.link) == ("submitted", "4jc6B76RJ4zCTHG", "4jc64f6YFJzCT0W")


@pytest.mark.parametrize("part", ["connect from", "Verified TLS", "Requeued: 1"])
def test_other_lines_tell_nothing(part):
    (line,) = [line for line in loglines.MAIN.splitlines() if part in line]
    assert parse(line) is None


@given(st.text())
def test_no_line_is_too_odd(line):
    parse(line)


@given(st.sampled_from(ALL), st.integers(0, 300), st.integers(0, 300), st.text(max_size=8))
def test_no_damage_to_a_line_is_too_odd(line, start, end, inserted):
    parse(line[:start] + inserted + line[end:])
