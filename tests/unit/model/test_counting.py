from tests.unit.model import loglines

from mailpod.model.counting import Tally
from mailpod.model.maillog import parse


def events(text: str):
    return [event for line in text.splitlines() if (event := parse(line))]


def test_each_message_counts_once_whatever_the_pieces_the_log_is_read_in():
    found = events(loglines.MAIN + loglines.RETURNED)
    whole, piecewise = Tally(), Tally()
    whole.add(found)
    for event in found:
        piecewise.add([event])
    assert whole == piecewise
    assert whole.counts == {
        ("received", ""): 1,
        ("submitted", "alice"): 1,
        ("delivered", "alice"): 1,
        ("delivered", "bob"): 1,
        ("sent", ""): 1,
        ("returned", ""): 2,
        ("refused", "5"): 2,
        ("deferred", "outside"): 2,
        ("spam", "reject"): 1,
    }
    assert not whole.pending


def test_what_was_refused_after_all_is_not_received():
    tally = Tally()
    tally.add(events("\n".join(line for line in loglines.MAIN.splitlines() if "4jc64g060WzCT0W: client" in line)))
    assert list(tally.pending) == ["4jc64g060WzCT0W"]
    tally.add(events(loglines.MAIN))
    assert ("received", "") in tally.counts
    assert not tally.pending


def test_what_never_comes_to_an_end_is_forgotten_in_time():
    line = next(line for line in loglines.MAIN.splitlines() if "4jc64g060WzCT0W: client" in line)
    tally = Tally()
    tally.add(events("\n".join(line.replace("zCT0W", f"z{number:05}") for number in range(1500))))
    assert len(tally.pending) == 1000
    assert "4jc64g060Wz01499" in tally.pending


def test_accounts_that_are_gone_have_no_numbers():
    tally = Tally()
    tally.add(events(loglines.MAIN))
    tally.keep({"alice": None})
    assert ("delivered", "bob") not in tally.counts
    assert tally.counts["delivered", "alice"] == 1
