import io
import json
import os
import signal
import subprocess
import sys

import pytest

from mailpod import __version__
from mailpod.cli import app, state
from mailpod.cli.app import _globals_first, run
from mailpod.services import accounts


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


def test_what_asks_no_name_server_does_not_wait_for_the_library(tmp_path):
    script = "import sys; from mailpod.cli.app import run; run(sys.argv[1:]); print('dns.message' in sys.modules)"
    listing = [sys.executable, "-c", script, "account", "list", "--state", str(tmp_path)]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(listing, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.splitlines()[0]) == ("False\n", f"mailpod: no mail system in {tmp_path}")


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
