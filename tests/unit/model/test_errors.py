import pytest

from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError, NotFound


@pytest.mark.parametrize(
    ("kind", "code"),
    [(MailpodError, 1), (InvalidInput, 2), (NotFound, 3), (AlreadyExists, 4), (EngineUnreachable, 5)],
)
def test_exit_codes_are_those_of_the_contract(kind, code):
    error = kind("what", "hint")
    assert (error.exit_code, error.what, error.hint, str(error)) == (code, "what", "hint", "what")
    assert isinstance(error, MailpodError)
