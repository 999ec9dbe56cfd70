from pathlib import Path

import pytest

from identity.refusals import Refusals


@pytest.fixture
def clock():
    return iter(range(1_000_000, 2_000_000))


def test_a_line_a_refusal(tmp_path, clock):
    refusals = Refusals(str(tmp_path), lambda: next(clock))
    refusals.add("alice", "from", "not bob@club.test")
    refusals.add("alice", "rate", "x" * 1000 + "\n1 from forged")
    lines = (tmp_path / "alice").read_text().splitlines()
    assert lines == ["1000000 from not bob@club.test", f"1000001 rate {'x' * 200}"]


def test_who_floods_main_fills_no_file(tmp_path, clock):
    still = Refusals(str(tmp_path), lambda: 7.5)
    for _ in range(10):
        still.add("alice", "from", "again")
    still.add("alice", "sender", "again")
    assert (tmp_path / "alice").read_text() == "7 from again\n7 sender again\n"

    refusals = Refusals(str(tmp_path), lambda: next(clock))
    for number in range(1000):
        refusals.add("bob", "from", f"{number} {'é' * 100}")
    text = Path(tmp_path / "bob").read_bytes()
    assert len(text) < 50_000
    assert text.splitlines()[-1].startswith(b"1000999 from 999 ")


def test_a_detail_is_one_line_of_text(tmp_path):
    Refusals(str(tmp_path), lambda: 7).add("alice", "from", "a\r\n\x00\ud800b")
    assert (tmp_path / "alice").read_text() == "7 from a????b\n"
