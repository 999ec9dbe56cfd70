from datetime import UTC, datetime, timedelta

import pytest

from mailpod.model.doctor.clock import of_offset, of_past, unknown

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "severity"),
    [(0.0, None), (-4.9, None), (30.0, "warning"), (-30.0, "warning"), (4000.0, "error")],
)
def test_how_far_off_a_clock_may_be(offset, severity):
    found = list(of_offset(offset, "here", "a source"))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_what_the_measurement_may_be_wrong_by_is_taken_off():
    assert not list(of_offset(8.0, "here", "a source", unsure=4.0))


def test_a_clock_before_what_has_happened_is_wrong():
    (found,) = of_past(NOW, NOW + timedelta(hours=1), "the record of alice", "here")
    assert found.severity == "error"
    assert not list(of_past(NOW, NOW - timedelta(hours=1), "it", "here"))
    assert not list(of_past(NOW, None, "it", "here"))


def test_nobody_to_ask_is_only_noted():
    assert not unknown("here", "pool").wrong
