import socket

import pytest

from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.imap_source import ImapSource
from mailpod.services import fetching, freezing
from mailpod.services.channel import Channel


@pytest.fixture
def source():
    """A server that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield ImapSource("imaps", "ann", "127.0.0.1", listener.getsockname()[1])


def test_what_is_copied_is_told_and_counted(system, source):
    context = system.up("alice").process()
    given = {}

    def attend(name, public, verb, files, lead_to, told):
        given.update({file.path: file.content.decode() for file in files} | {"to": lead_to, "verb": verb})
        for line in (
            "folder INBOX",
            "12 messages",
            "Channels: 1    Boxes: 5    Far: +0 *0 #0 -0    Near: +12 *3 #0 -0",
        ):
            told(line)

    context.channel.attend = attend
    found = fetching.fetch(context, "Alice", source, "secret", "")
    assert found == fetching.Fetched(5, 12)
    assert (given["verb"], given["to"], given["password"]) == ("import", source.address, "secret\n")
    assert "secret" not in given["mbsyncrc"]
    assert "alice: 12 messages" in system.said


def test_refusals(system, source):
    system.up("alice", "bob")
    freezing.freeze(system.process(), "bob")
    nowhere = ImapSource("imaps", "ann", "127.0.0.1", 1)
    for error, name, where, password in (
        (NotFound, "carol", source, "x"),
        (InvalidInput, "alice", source, ""),
        (MailpodError, "bob", source, "x"),
        (MailpodError, "alice", nowhere, "x"),
    ):
        with pytest.raises(error):
            fetching.fetch(system.process(), name, where, password, "")


def test_a_failure_says_how_to_go_on(system, source):
    context = system.up("alice").process()

    def attend(*_anything):
        raise MailpodError("alice: certificate", "see")

    context.channel.attend = attend
    with pytest.raises(MailpodError, match="certificate") as caught:
        fetching.fetch(context, "alice", source, "x", "")
    assert "goes on" in caught.value.hint


def test_the_session_leads_to_the_server(tmp_path, monkeypatch, system):
    """What is told comes line by line, and its failure is the last line it said."""
    script = tmp_path / "ssh"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ncat >/dev/null\necho broken >&2\nexit 3\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said = []
    channel = Channel(system.up().process().system, tmp_path / "key", "ssh-ed25519 AAAA")
    with pytest.raises(MailpodError, match="broken"):
        channel.attend("alice", "ssh-ed25519 BBBB", "import", [], "old.example:993", said.append)
    assert "127.0.0.1:1143:old.example:993" in said
