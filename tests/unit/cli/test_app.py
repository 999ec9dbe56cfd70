import errno
import io
import json
import os
import signal
import sys

import pytest

from mailpod import __version__
from mailpod.cli import app, state
from mailpod.cli.app import _globals_first, run
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


@pytest.fixture
def own_signals():
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_command_from_outside_undoes_like_control_c(mailpod, system, monkeypatch, number):
    system.up()
    before = system.state()

    def end(*_anything):
        os.kill(os.getpid(), number)
        raise AssertionError("it went on")

    monkeypatch.setattr(accounts, "bring_up", end)
    monkeypatch.setattr(sys, "argv", ["mailpod", "account", "create", "alice"])
    monkeypatch.setattr(app, "run", lambda arguments: mailpod(*arguments).code)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1
    assert system.state() == before


@pytest.mark.usefixtures("own_signals")
def test_a_command_that_was_begun_with_nohup_goes_on(mailpod, monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(app, "run", lambda _arguments: os.kill(os.getpid(), signal.SIGHUP))
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert not ended.value.code


def test_help_and_version(capsys):
    for arguments in (["--help"], ["-h"], ["account", "--help"], ["account", "create", "-h"], ["up", "--help"]):
        assert run(arguments) == 0
        assert "Usage: mailpod" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mailpod {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["account"], ["alias"]])
def test_nothing_said_is_answered_with_the_usage(capsys, arguments):
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert "Usage: mailpod" in shown.out + shown.err


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["up", "x.org", "--state", "D"], ["--state", "D", "up", "x.org"]),
        (["account", "--state=D", "list", "--instance", "i"], ["--state=D", "--instance", "i", "account", "list"]),
        (["--instance", "i", "status"], ["--instance", "i", "status"]),
        (["account", "show", "--", "--state"], ["account", "show", "--", "--state"]),
        (["status"], ["status"]),
        ([], []),
    ],
)
def test_global_options_stand_anywhere(given, ordered):
    assert _globals_first(given) == ordered


def test_options_go_before_the_environment(monkeypatch, capsys, tmp_path):
    options = state.Options()
    monkeypatch.setattr(app, "options", options)
    monkeypatch.setattr(state, "options", options)
    monkeypatch.setenv("MAILPOD_STATE", str(tmp_path / "environment"))
    monkeypatch.setenv("MAILPOD_INSTANCE", "env")
    assert run(["account", "list"]) == 3
    assert (options.state, options.instance) == (tmp_path / "environment", "env")
    assert run(["account", "list", "--state", str(tmp_path / "option"), "--instance=opt"]) == 3
    assert (options.state, options.instance) == (tmp_path / "option", "opt")
    assert str(tmp_path / "option") in capsys.readouterr().err


def test_the_state_lies_where_it_is_expected(monkeypatch, tmp_path):
    monkeypatch.setattr(state.os, "geteuid", lambda: 0)
    assert str(state.default_state("mailpod")) == "/var/lib/mailpod/mailpod"
    monkeypatch.setattr(state.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert state.default_state("two") == tmp_path / "mailpod" / "two"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert str(state.default_state("two")) == "/home/x/.local/share/mailpod/two"


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


def test_one_json_document_and_all_else_on_standard_error(mailpod, system):
    answer = mailpod("up", "example.org", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["domain"] == "example.org"
    made = json.loads(mailpod("account", "create", "Alice", "--json").out)
    contract = {"name", "address", "short_address", "fqdn", "password", "ipv4", "ipv6", "status"}
    assert made.keys() >= contract
    assert (made["address"], made["short_address"]) == ("box@alice.example.org", "alice@example.org")
    [listed] = json.loads(mailpod("account", "list", "--json").out)
    assert listed == {key: value for key, value in made.items() if key != "password"}
    assert json.loads(mailpod("account", "show", "ALICE", "--json").out) == listed
    assert len(json.loads(mailpod("account", "passwd", "alice", "--json").out)["password"]) == 24
    assert json.loads(mailpod("account", "set", "alice", "--memory", "128m", "--json").out)["memory"] == 128 << 20
    assert json.loads(mailpod("account", "set", "alice", "--stack", "dovecot", "--json").out)["stack"] == "dovecot"
    assert json.loads(mailpod("account", "set", "alice", "--quota", "2g", "--json").out)["quota"] == 2 << 30
    limits = {"cpus": 0.5, "processes": 100, "connections": 20}
    options = [word for name, value in limits.items() for word in (f"--{name}", str(value))]
    assert json.loads(mailpod("account", "set", "alice", *options, "--json").out).items() >= limits.items()
    carol = json.loads(mailpod("account", "create", "Carol", "--quota", "10m", *options, "--json").out)
    assert carol.items() >= (limits | {"quota": 10 << 20}).items()
    changed = json.loads(
        mailpod("account", "set", "carol", "--internet", "mail", "--messages-per-hour", "9", "--json").out
    )
    assert (changed["internet"], changed["messages_per_hour"]) == ("mail", 9)
    assert json.loads(mailpod("account", "delete", "carol", "--purge", "--yes", "--json").out)["purged"]
    assert json.loads(mailpod("alias", "add", "team", "alice", "--json").out) == {
        "address": "team@example.org",
        "targets": ["alice"],
        "send": False,
    }
    assert len(json.loads(mailpod("alias", "list", "--json").out)) == 1
    assert json.loads(mailpod("alias", "delete", "team", "--json").out) == {"address": "team@example.org"}
    status = json.loads(mailpod("status", "--json").out)
    assert status["accounts"][0]["desired"] == status["accounts"][0]["observed"] == "running"
    assert json.loads(mailpod("apply", "--json").out) == []
    assert json.loads(mailpod("account", "delete", "alice", "--yes", "--json").out)["purged"] is False
    assert json.loads(mailpod("account", "undelete", "alice", "--json").out)["name"] == "alice"


def test_words_for_people(mailpod, system, monkeypatch):
    assert "https://webmail.example.org" in mailpod("up", "example.org").out
    created = mailpod("account", "create", "alice")
    assert "shown once" in created.out
    monkeypatch.setattr(sys, "stdin", io.StringIO("a good password\n"))
    again = mailpod("account", "create", "bob", "--password-stdin")
    assert "a good password" not in again.out + again.err
    assert [line.split("\t")[:2] for line in mailpod("account", "list").out.splitlines()] == [
        ["alice", "box@alice.example.org"],
        ["bob", "box@bob.example.org"],
    ]
    assert "fqdn" in mailpod("account", "show", "alice").out
    status = mailpod("status")
    assert status.out.startswith("example.org: webmail at https://webmail.example.org\n")
    assert "main\trunning\trunning" in status.out
    assert status.err == ""
    del system.world.containers["mailpod-alice"]
    applied = mailpod("apply")
    assert (applied.out, applied.err) == ("", ""), "each step was told when it was taken"
    assert system.said.count("create mailpod-alice") == 1
    mailpod("alias", "add", "team", "alice", "bob")
    assert mailpod("alias", "list").out == "team@example.org\talice, bob\tno\n"
    assert "account undelete alice" in mailpod("account", "delete", "alice", "--yes").err
    assert mailpod("ca").out.startswith("-----BEGIN CERTIFICATE-----\n")
    assert mailpod("down", "--purge", "--yes").code == 0
    assert not system.world.containers
