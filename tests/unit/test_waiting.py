import pytest

from mailpod.model.errors import MailpodError
from mailpod.waiting import until


def test_a_fact_is_asked_for_until_it_holds():
    answers = iter([False, False, True])
    until(lambda: next(answers), 10, "it did not happen", "look", interval=0.001)
    assert next(answers, None) is None


def test_the_deadline_is_told():
    with pytest.raises(MailpodError, match=r"it did not happen within 0 s") as late:
        until(lambda: False, 0.01, "it did not happen", "look", interval=0.001)
    assert late.value.hint == "look"


def test_an_error_ends_the_waiting():
    def broken():
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        until(broken, 10, "it did not happen", "look")
