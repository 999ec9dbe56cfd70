import re

import pytest
from tests.fakes.stack import checks

from mailpod.model.errors import MailpodError
from mailpod.model.passwords import Hashes
from mailpod.services.checking import check


def asked(context):
    """Let its channel note whom it asks for what, with which files."""
    notes, channel = [], context.channel

    def told(whom, verb, files):
        notes.append((whom, verb, {file.path: file.content.decode() for file in files}))

    channel.main = lambda verb, files=(): told("main", verb, files)
    channel.account = lambda name, _public, verb, files=(): told(name, verb, files)
    return notes


def test_main_gets_the_password_and_the_account_its_hashes(system):
    system.up("alice")
    context = system.process()
    notes = asked(context)
    check(context, system.store.account("alice"))
    (first, begin, line), (second, verb, given), (third, end, word) = notes
    assert (first, begin) == ("alice", "begin-check")
    assert (second, verb, given["address"]) == ("main", "check alice", "check@alice.example.org")
    assert (third, end, word["word"].strip()) == ("alice", "end-check", given["word"])
    name, scope, _, selector, yescrypt, argon2id = line["app_password"].strip().split("\t")
    assert scope == "imap"
    assert not re.fullmatch("[a-z0-9-]+", name), "an owner may have one of this name"
    assert given["password"].startswith(f"{selector}-")
    assert checks(Hashes(yescrypt, argon2id), given["password"])


def test_no_two_checks_have_the_same_password_or_word(system):
    system.up("alice")
    context = system.process()
    notes = asked(context)
    for _ in range(2):
        check(context, system.store.account("alice"))
    assert notes[1][2]["word"] != notes[4][2]["word"]
    assert notes[1][2]["password"] != notes[4][2]["password"]


def test_what_fails_is_told_as_it_was(system):
    system.up("alice")
    context = system.process()

    def fail(*_anything):
        raise MailpodError("main: IMAP of alice: no", "see: mailpod status")

    context.channel.main = fail
    with pytest.raises(MailpodError, match="IMAP of alice"):
        check(context, system.store.account("alice"))
