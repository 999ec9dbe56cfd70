import io
import json
import shlex
import sys
import tarfile

import pytest

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.records import System
from mailpod.services import channel as module
from mailpod.services.channel import Channel, ChannelClosed

SYSTEM = System(domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64", bind="192.0.2.1", port_base=20000)

# Stands for ssh: keeps what it was given, then says and does what it is told.
SSH = """#!{python}
import json, os, sys, time
known = next(word.partition("=")[2] for word in sys.argv if word.startswith("UserKnownHostsFile="))
if {first!r}:
    print({first!r}, flush=True)
given = sys.stdin.buffer.read().hex()
with open({record!r}, "w") as file:
    json.dump({{"arguments": sys.argv, "known": open(known.strip('"')).read(), "path": known, "input": given}}, file)
print("an answer")
print({said!r}, file=sys.stderr)
time.sleep({seconds})
sys.exit({code})
"""


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Put a stand-in for ssh on the PATH; gives what it was called with."""
    record = tmp_path / "record"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path / "tmp"))

    def stand_in(said="", code=0, seconds=0, first=""):
        program = tmp_path / "ssh"
        told = {"said": said, "code": code, "seconds": seconds, "first": first}
        program.write_text(SSH.format(python=sys.executable, record=str(record), **told))
        program.chmod(0o755)
        return lambda: json.loads(record.read_text())

    return stand_in


@pytest.fixture
def channel(tmp_path):
    return Channel(SYSTEM, tmp_path / "operator_key", "ssh-ed25519 MAIN")


def options(arguments):
    """The `-o` options of an ssh command line, and the words that are left."""
    found, words, rest = {}, iter(arguments), []
    for word in words:
        if word == "-o":
            name, _, value = next(words).partition("=")
            assert name not in found, f"{name} twice: ssh takes the first"
            found[name] = value
        else:
            rest.append(word)
    return found, rest


def test_a_verb_in_main(channel, ssh, tmp_path):
    called = ssh()
    assert channel.main("deploy", [File("etc/a", b"content", 0o600)]) == b"an answer\n"
    given, rest = options(called()["arguments"][1:])
    assert rest == ["-F", "none", "-T", "-p", "22222", "root@192.0.2.1", "deploy"]
    assert given["IdentityFile"] == str(tmp_path / "operator_key")
    assert given["HostKeyAlias"] == "main.mailpod.internal"
    assert (given["BatchMode"], given["StrictHostKeyChecking"], given["IdentitiesOnly"]) == ("yes", "yes", "yes")
    assert (given["GlobalKnownHostsFile"], given["IdentityAgent"]) == ("/dev/null", "none")
    assert "ProxyCommand" not in given
    assert called()["known"] == "main.mailpod.internal ssh-ed25519 MAIN\n"
    with tarfile.open(fileobj=io.BytesIO(bytes.fromhex(called()["input"]))) as archive:
        assert archive.getnames() == ["etc/a"]


def test_a_verb_in_an_account_goes_through_main(channel, ssh):
    called = ssh()
    channel.account("alice", "ssh-ed25519 ALICE", "deploy", [File("password", b"not in an argument")])
    given, rest = options(called()["arguments"][1:])
    assert rest == ["-F", "none", "-T", "root@alice", "deploy"]
    assert given["HostKeyAlias"] == "alice.mailpod.internal"
    hop, hop_rest = options(shlex.split(given["ProxyCommand"].replace("%%", "%"))[1:])
    assert hop_rest == ["-F", "none", "-T", "-p", "22222", "root@192.0.2.1", "connect alice"]
    assert hop["HostKeyAlias"] == "main.mailpod.internal"
    assert hop["UserKnownHostsFile"] == given["UserKnownHostsFile"]
    assert called()["known"] == ("main.mailpod.internal ssh-ed25519 MAIN\nalice.mailpod.internal ssh-ed25519 ALICE\n")
    assert "not in an argument" not in str(called()["arguments"])


@pytest.mark.parametrize("path", ["/with space/key", "/with%percent/key", "/it's/key"])
def test_a_state_folder_of_any_name(ssh, path):
    called = ssh()
    Channel(SYSTEM, path, "ssh-ed25519 MAIN").account("alice", "ssh-ed25519 ALICE", "deploy")
    given, _ = options(called()["arguments"][1:])
    assert given["IdentityFile"].strip('"').replace("%%", "%") == path
    hop, _ = options(shlex.split(given["ProxyCommand"].replace("%%", "%"))[1:])
    assert hop["IdentityFile"] == given["IdentityFile"]


@pytest.mark.parametrize("code", [0, 1, 255])
def test_no_file_is_left(channel, ssh, tmp_path, code):
    ssh(code=code)
    try:
        channel.main("queue")
    except MailpodError:
        assert code
    assert not list((tmp_path / "tmp").iterdir())


def test_a_connection_that_fails_is_told_from_a_verb_that_fails(channel, ssh):
    ssh(said="warning\nConnection refused", code=255)
    with pytest.raises(ChannelClosed, match="alice cannot be reached: Connection refused"):
        channel.account("alice", "k", "deploy")
    ssh(said="deploy: no such file in an account: x", code=1)
    with pytest.raises(MailpodError, match="alice: deploy: no such file") as failed:
        channel.account("alice", "k", "deploy")
    assert not isinstance(failed.value, ChannelClosed)
    ssh(code=3)
    with pytest.raises(MailpodError, match="main: exit code 3"):
        channel.main("deploy")


def test_an_account_is_awaited_in_main_from_the_moment_it_was_started(channel, ssh):
    record = ssh()
    with channel.await_account("alice") as answered:
        answered()
    given = record()
    assert given["arguments"][-1] == "await alice"
    assert given["input"] == ""


def test_an_account_that_is_never_started_is_not_waited_for(channel, ssh, tmp_path):
    ssh(seconds=30)
    with pytest.raises(KeyError), channel.await_account("alice"):
        raise KeyError("the engine refused")
    assert not list((tmp_path / "tmp").iterdir())


def test_an_account_that_does_not_answer_is_told(channel, ssh):
    ssh(said="no answer on port 143", code=1)
    with channel.await_account("alice") as answered, pytest.raises(MailpodError, match="alice: no answer on port 143"):
        answered()


def test_one_who_does_not_answer_is_given_up(channel, ssh, tmp_path):
    ssh(seconds=30)
    with pytest.raises(ChannelClosed, match="did not answer"):
        channel.account("alice", "k", "queue", seconds=0.3)
    assert not list((tmp_path / "tmp").iterdir())


def test_ssh_missing_is_told(channel, tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(MailpodError, match="ssh is missing") as missing:
        channel.main("queue")
    assert "apt-get install openssh-client" in missing.value.hint


def test_logins_are_held_until_the_end_and_an_address_that_changes_is_said(channel, ssh):
    for anew, verb in ((False, "hold alice"), (True, "hold alice anew")):
        record = ssh(first="held")
        with channel.hold("alice", anew=anew):
            pass
        assert record()["arguments"][-1] == verb


def test_a_main_that_cannot_hold_logins_says_so(channel, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'unknown verb: expected await' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(MailpodError, match="main: unknown verb"), channel.hold("alice", anew=False):
        pytest.fail("it is not held")
