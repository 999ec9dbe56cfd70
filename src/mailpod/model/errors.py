"""Errors meant for people: what was wrong, what to do next, and the exit code."""


class MailpodError(Exception):
    """Something failed that a person can act on.

    Args:
        what: one line that says what was wrong.
        hint: one line with the next step to take; empty when there is none.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class InvalidInput(MailpodError):
    """A name, password, file or option that cannot be accepted."""

    exit_code = 2


class NotFound(MailpodError):
    """The account, alias or system that was named does not exist."""

    exit_code = 3


class AlreadyExists(MailpodError):
    """The account, alias or system is already there."""

    exit_code = 4


class EngineUnreachable(MailpodError):
    """No container engine answers, or the one that does is too old."""

    exit_code = 5
