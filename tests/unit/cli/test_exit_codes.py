"""How commands end that cannot do what they are told: the exit code, one line what and one line what next."""

import errno
import io
import sys

import pytest

from mailpod.cli.app import run
from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError, NotFound
from mailpod.model.records import System
from mailpod.services import accounts
from mailpod.store import Store


def said_what_and_what_next(answer):
    assert answer.out == ""
    assert len(answer.lines) == 2, answer.err
    assert answer.lines[0].startswith("mailpod: ")
    assert answer.lines[1].startswith("  ")
    assert answer.lines[1].strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["account", "nonsense"],
        ["alias", "nonsense"],
        ["--nonsense"],
        ["account", "list", "--nonsense"],
        ["account", "create"],
        ["account", "create", "a", "b"],
        ["account", "show"],
        ["up"],
        ["up", "example.org", "--port-base", "many"],
        ["alias", "add", "contact"],
        ["status", "more"],
        ["account", "list", "--state"],
        ["account", "create", "alice", "--stack", "nonsense"],
        ["account", "create", "alice", "--memory", "much"],
        ["account", "create", "alice", "--memory", "1m"],
        ["account", "create", "alice", "--memory", "1k"],
        ["account", "create", "alice", "--memory", "-5m"],
        ["account", "create", "alice", "--memory", "1048576g"],
        ["account", "create", "alice", "--memory", ""],
        ["account", "create", "alice", "--quota", "lots"],
        ["account", "create", "alice", "--quota", "1m"],
        ["account", "create", "alice", "--quota", "1k"],
        ["account", "set", "bob", "--quota", "9m"],
        ["account", "set", "bob", "--quota", "-1g"],
        ["account", "set", "bob", "--internet", "some"],
        ["account", "set", "bob", "--messages-per-hour", "0"],
        ["account", "create", "alice", "--messages-per-hour", "many"],
        ["account", "set", "bob", "--cpus", "0"],
        ["account", "create", "alice", "--cpus", "1e2"],
        ["account", "create", "alice", "--processes", "63"],
        ["account", "set", "bob", "--processes", "128.5"],
        ["account", "set", "bob", "--connections", "four"],
        ["account", "create", "alice", "--connections", "9999999999"],
        ["account", "create", "alice", "--ssh-key", "/nonexistent"],
        ["account", "create", "-a-"],
        ["account", "create", ""],
        ["account", "create", "al ice"],
        ["account", "create", "alice@example.org"],
        ["account", "create", "../bob"],
        ["account", "create", "élise"],
        ["account", "create", "a" * 64],
        ["account", "create", "$(id)"],
        ["account", "create", "a\nb"],
        ["account", "create", "xn--bcher-kva"],
        ["account", "create", "postmaster"],
        ["account", "create", "WWW"],
        ["account", "create", "mail"],
        ["account", "create", "autoconfig"],
        ["account", "create", "root"],
        ["account", "create", "a.b"],
        ["account", "set", "bob"],
        ["account", "set", "bob", "--stack", "nonsense"],
        ["account", "delete", "bob"],
        ["alias", "add", "a+b", "bob"],
        ["alias", "add", "contact@elsewhere.test", "bob"],
        ["alias", "add", "team", "x y@z.example"],
        ["down", "--purge"],
        ["up", "nodots"],
        ["up", ""],
        ["up", "not a domain"],
        ["up", "example..org"],
        ["up", "--", "-example.org"],
        ["up", "example.org/x"],
        ["up", "a" * 70],
        ["up", "example.org", "--bind", "nowhere"],
        ["up", "example.org", "--resolver", "nowhere"],
        ["up", "example.org", "--port-base", "-1"],
        ["up", "example.org", "--port-base", "70000"],
        ["account", "app-password", "add", "bob"],
        ["account", "app-password", "add", "bob", "my phone"],
        ["account", "app-password", "add", "bob", "phone", "--scope", "smtp"],
        ["account", "app-password", "revoke", "bob", ""],
    ],
)
def test_bad_usage_and_bad_input_end_with_2_in_two_lines_and_change_nothing(mailpod, system, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    system.up("bob")
    before = system.state()
    answer = mailpod(*arguments)
    assert answer.code == 2
    said_what_and_what_next(answer)
    assert system.state() == before


@pytest.mark.parametrize("password", ["", "\n", "short\n", "1234567\n", "x" * 300, "tab\tand\x01control\n"])
def test_bad_passwords_end_with_2(mailpod, system, monkeypatch, password):
    system.up("bob")
    before = system.state()
    for command in (["create", "alice"], ["passwd", "bob"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO(password))
        answer = mailpod("account", *command, "--password-stdin")
        assert answer.code == 2
        said_what_and_what_next(answer)
    assert system.state() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["account", "show", "nobody"],
        ["account", "passwd", "nobody"],
        ["account", "delete", "nobody", "--yes"],
        ["account", "delete", "nobody", "--yes", "--purge"],
        ["account", "undelete", "nobody"],
        ["account", "set", "nobody", "--memory", "128m"],
        ["account", "set", "nobody", "--stack", "dovecot"],
        ["account", "app-password", "list", "nobody"],
        ["account", "app-password", "add", "nobody", "phone"],
        ["account", "app-password", "revoke", "nobody", "phone"],
        ["account", "app-password", "revoke", "bob", "phone"],
        ["alias", "delete", "nobody"],
        ["alias", "add", "team", "nobody"],
        ["alias", "add", "team", "nobody@example.org"],
        ["alias", "add", "team", "team"],
    ],
)
def test_no_such_thing_ends_with_3(mailpod, system, arguments):
    system.up("bob")
    answer = mailpod(*arguments)
    assert answer.code == 3
    said_what_and_what_next(answer)


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["apply"], ["down"], ["ca"], ["account", "list"], ["account", "create", "alice"], ["alias", "list"]],
)
def test_no_system_ends_with_3(mailpod, arguments):
    answer = mailpod(*arguments)
    assert answer.code == 3
    said_what_and_what_next(answer)
    assert "mailpod up DOMAIN" in answer.err


@pytest.mark.parametrize(
    "arguments", [["account", "create", "bob"], ["alias", "add", "bob", "bob"], ["up", "other.example"]]
)
def test_what_is_there_already_ends_with_4(mailpod, system, arguments):
    system.up("bob")
    answer = mailpod(*arguments)
    assert answer.code == 4
    said_what_and_what_next(answer)


@pytest.mark.parametrize(
    "arguments",
    [
        ["account", "create", "alice"],
        ["account", "list"],
        ["alias", "add", "team", "bob"],
        ["status"],
        ["apply"],
        ["down"],
        ["up", "example.org"],
    ],
)
def test_no_engine_ends_with_5(mailpod, system, arguments):
    system.up("bob")
    system.world.reachable = False
    before = system.state()
    answer = mailpod(*arguments)
    assert answer.code == 5
    said_what_and_what_next(answer)
    assert system.state() == before


@pytest.mark.parametrize("kind", [MailpodError, InvalidInput, NotFound, AlreadyExists, EngineUnreachable])
def test_every_error_has_its_code_and_a_traceback_only_when_asked_for(mailpod, monkeypatch, kind):
    def fail(_context):
        raise kind("what", "next")

    monkeypatch.setattr(accounts, "views", fail)
    answer = mailpod("account", "list")
    assert (answer.code, answer.err) == (kind.exit_code, "mailpod: what\n  next\n")
    monkeypatch.setenv("MAILPOD_DEBUG", "1")
    answer = mailpod("account", "list")
    assert (answer.code, answer.lines[0]) == (kind.exit_code, "Traceback (most recent call last):")
    assert answer.lines[-2:] == ["mailpod: what", "  next"]


def test_what_nobody_thought_of_is_one_line_too(mailpod, monkeypatch):
    def fail(_context):
        raise ZeroDivisionError("many\nlines")

    monkeypatch.setattr(accounts, "views", fail)
    answer = mailpod("account", "list")
    assert answer.code == 1
    said_what_and_what_next(answer)
    assert "MAILPOD_DEBUG=1" in answer.err
    monkeypatch.setenv("MAILPOD_DEBUG", "1")
    answer = mailpod("account", "list")
    assert (answer.code, answer.lines[0]) == (1, "Traceback (most recent call last):")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "/tmp/x: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/var/lib/x"), "/var/lib/x: Permission denied"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_what_the_machine_refuses_is_not_to_be_reported(mailpod, monkeypatch, error, what):
    def fail(_context):
        raise error

    monkeypatch.setattr(accounts, "views", fail)
    answer = mailpod("account", "list")
    assert answer.code == 1
    said_what_and_what_next(answer)
    assert answer.lines[0] == f"mailpod: {what}"
    assert "report it" not in answer.err


def test_control_c_is_told(mailpod, monkeypatch):
    def interrupt(_context):
        raise KeyboardInterrupt

    monkeypatch.setattr(accounts, "views", interrupt)
    answer = mailpod("account", "list")
    assert answer.code == 1
    said_what_and_what_next(answer)


def test_no_engine_is_asked_for_what_is_wrong_anyway(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    wrong = [
        (["account", "create", "-x-"], 2),
        (["up", "nodots"], 2),
        (["account", "list"], 3),
    ]
    for arguments, code in wrong:
        assert run([*arguments, "--state", str(tmp_path)]) == code
        assert len(capsys.readouterr().err.splitlines()) == 2
    Store(tmp_path).save_system(System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64"))
    wrong = [
        (["alias", "add", "a+b", "x@y.example"], 2),
        (["alias", "add", "team", "a b"], 2),
        (["alias", "add", "team", "nobody"], 3),
        (["alias", "delete", "team"], 3),
    ]
    for arguments, code in wrong:
        assert run([*arguments, "--state", str(tmp_path)]) == code, arguments
        assert len(capsys.readouterr().err.splitlines()) == 2
