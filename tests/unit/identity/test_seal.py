import re

import pytest

from identity.seal import Content, Seals

KEY = bytes(32)
DAY = 86400
LETTER = {
    "Received": "from there",
    "Date": "Mon, 1 Jan 2024 00:00:00 +0000",
    "From": "Oda <oda@outside.test>",
    "To": "alice@club.test",
    "Subject": "a long\n subject",
    "Message-ID": "<1@outside.test>",
    "Content-Type": "text/plain",
}
BODY = "Bonjour,\r\n.\r\nZoé\r\n".encode()


def content(headers=LETTER, *chunks):
    made = Content("club.test")
    for name, value in headers.items():
        made.header(name, value)
    for chunk in chunks or (BODY,):
        made.body(chunk)
    return made


@pytest.fixture
def seals():
    return Seals(KEY, lambda: 10 * DAY)


def test_what_main_handed_out_is_known(seals):
    seal = seals.make(content(), {"alice", "bob"})
    assert all(seals.proves(seal, content(), name) for name in ("alice", "bob"))


def test_what_was_for_one_is_not_for_another(seals):
    seal = seals.make(content(), {"alice"})
    assert not seals.proves(seal, content(), "bob")


def test_a_seal_does_not_tell_whom_it_is_for(seals):
    seal = seals.make(content(), {"alice", "bob"})
    assert re.fullmatch(r"[0-9]+\n\t[A-Za-z0-9_-]{12} [A-Za-z0-9_-]{12}", seal)
    assert "\n\t" in seals.make(content(), {f"name{number}" for number in range(20)}).partition("\n\t")[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"From": "Oda <eve@outside.test>"},
        {"Subject": "another"},
        {"Reply-To": "eve@outside.test"},
        {"Content-Type": "text/html"},
        {"To": "bob@club.test"},
        {"Date": "Tue, 2 Jan 2024 00:00:00 +0000"},
        {"Message-ID": "<2@outside.test>"},
    ],
)
def test_what_was_changed_is_not_what_was_handed_out(seals, changed):
    seal = seals.make(content(), {"alice"})
    assert not seals.proves(seal, content(LETTER | changed), "alice")


def test_another_body_breaks_it(seals):
    seal = seals.make(content(), {"alice"})
    assert not seals.proves(seal, content(LETTER, BODY, b"x"), "alice")


def test_what_happens_on_the_way_does_not_break_it(seals):
    """Folding, other line ends, pieces of another size, and headers that every hop adds."""
    seal = seals.make(content(), {"alice"})
    headers = {"X-Sieve": "Pigeonhole"} | LETTER | {"Subject": "a long subject", "Return-Path": "<x@y.test>"}
    assert seals.proves(seal, content(headers, b"Bonjour,\n.\nZo\xc3", b"\xa9\n\n"), "alice")


def test_a_date_and_an_id_may_be_added_where_there_was_none(seals):
    for missing in ({"Date"}, {"Message-ID"}, {"Date", "Message-ID"}):
        poor = {name: value for name, value in LETTER.items() if name not in missing}
        assert seals.proves(seals.make(content(poor), {"alice"}), content(), "alice")
        assert not seals.proves(seals.make(content(), {"alice"}), content(poor), "alice")


def test_an_account_may_complete_a_recipient_without_a_domain(seals):
    seal = seals.make(content(LETTER | {"To": "root"}), {"alice"})
    assert seals.proves(seal, content(LETTER | {"To": "root@alice.club.test"}), "alice")
    seal = seals.make(content(LETTER | {"From": "root"}), {"alice"})
    assert not seals.proves(seal, content(LETTER | {"From": "root@alice.club.test"}), "alice")


def test_it_ends_after_a_month(seals):
    seal = seals.make(content(), {"alice"})
    assert Seals(KEY, lambda: 40 * DAY).proves(seal, content(), "alice")
    assert not Seals(KEY, lambda: 41 * DAY).proves(seal, content(), "alice")


def test_only_the_key_makes_it(seals):
    seal = Seals(b"x" * 32, lambda: 10 * DAY).make(content(), {"alice"})
    made, tag = seal.split()
    for forged in ("", "x", "9" * 5000, seal, f"{int(made) + 1} {tag}", f"{made} é", f"٣ {tag}", f"{made} {'A' * 12}"):
        assert not seals.proves(forged, content(), "alice")
