import pytest

from identity.rate import Rate


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "sent")


def test_an_hour_has_so_many_messages_and_no_more(path, clock):
    rate = Rate(path, clock)
    assert [rate.take("alice", 2) for _ in range(3)] == [True, True, False]
    clock.now += 3599
    assert not rate.take("alice", 2)
    clock.now += 61
    assert [rate.take("alice", 2) for _ in range(3)] == [True, True, False]


def test_a_limit_that_is_raised_holds_at_once(path, clock):
    rate = Rate(path, clock)
    assert [rate.take("alice", 1), rate.take("alice", 1), rate.take("alice", 2)] == [True, False, True]


def test_what_was_sent_is_remembered_across_a_restart(path, clock):
    rate = Rate(path, clock)
    rate.take("alice", 2)
    rate.take("alice", 2)
    rate.save()
    assert not Rate(path, clock).take("alice", 2)
    assert Rate(path, clock).take("bob", 2)


def test_a_process_that_is_killed_has_forgotten_seconds_at_most(path, clock):
    rate = Rate(path, clock)
    rate.take("alice", 3)
    clock.now += 5
    rate.take("alice", 3)
    rate.take("alice", 3)
    again = Rate(path, clock)
    assert [again.take("alice", 3) for _ in range(2)] == [True, False]
