import pytest

from mailpod.model.mbox import Letter, joined, split


def lines(*letters):
    return b"".join(joined(letter) for letter in letters).splitlines(keepends=True)


@pytest.mark.parametrize("flags", ["", "S", "RS", "DFRST"])
@pytest.mark.parametrize(
    "content",
    [
        b"Subject: a\n\nbody\n",
        b"Subject: a\n\nFrom me to you\n>From him\n",
        b"Subject: a\n\n\nFrom the beginning\n\n",
        b"Subject: alone\n",
    ],
)
def test_what_is_joined_comes_apart_as_it_was(content, flags):
    letters = [Letter(content, flags, 1_600_000_000), Letter(b"Subject: next\n\nb\n", "", 0)]
    assert list(split(lines(*letters))) == letters


def test_the_flags_of_another_program_are_taken_and_its_lines_go():
    text = b"From a@b Sat Jan  3 01:05:34 1996\nStatus: RO\nX-Status: AF\nSubject: a\n\nStatus: text\n"
    [letter] = split(text.splitlines(keepends=True))
    assert letter == Letter(b"Subject: a\n\nStatus: text\n", "FRS", 820_631_134)


@pytest.mark.parametrize(
    ("date", "when"),
    [
        (b"Thu Jan  1 01:00:00 +0100 1970", 0),
        (b"Thu Jan  1 00:00:09 UTC 1970", 9),
        (b"some day", 0),
        (b"Xxx Yyy 77 99:99:99 1970", 0),
    ],
)
def test_the_date_of_arrival(date, when):
    [letter] = split([b"From a@b " + date + b"\n", b"A: b\n"])
    assert letter.when == when


def test_what_is_none():
    with pytest.raises(ValueError, match="From"):
        list(split([b"Subject: a\n"]))
    assert list(split([])) == []
