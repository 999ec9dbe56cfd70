"""Backups over SFTP: a key of the system's own that has to be let in, and a server that stays the one it was."""

import shutil
from collections.abc import Iterator

import pytest
from tests.e2e.support.sftp import Sftp
from tests.e2e.support.system import Account, System

# An account's software has no part in it.
pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(system: System) -> Iterator[Sftp]:
    """The server that backups of the system go to."""
    made = Sftp(system.world)
    made.start()
    yield made
    made.stop()
    (system.cli.state / "secrets" / "backup.toml").unlink()
    shutil.rmtree(system.cli.state / "backups", ignore_errors=True)


def test_a_message_comes_back_from_a_server_that_has_let_the_key_in(
    system: System, alice: Account, server: Sftp
) -> None:
    """Until then `backup to` says which key; a server that is suddenly another is not given anything."""
    refused = system.cli.run("backup", "to", server.repository)
    _what, tip = refused.complaint
    assert (refused.code, "let this key in at" in tip) == (1, True), refused
    server.let_in(tip.partition(", as keeper: ")[2])
    system.cli.ok("backup", "to", server.repository)

    word = system.post(alice.address)
    system.wait_for(alice, word)
    system.cli.ok("backup", alice.name)
    with system.mailbox(alice) as mailbox:
        mailbox.remove(word)
    system.cli.ok("account", "restore", alice.name, "--message-id", f"<{word}@test.invalid>")
    with system.mailbox(alice) as mailbox:
        (restored,) = [name for name in mailbox.folders() if name.endswith("Restored")]
        assert mailbox.words(restored) == [word]
        mailbox.session.delete(restored)

    server.stop()
    server.start()
    failed = system.cli.run("backup", alice.name)
    assert (failed.code, "another host key than before" in failed.complaint[0]) == (1, True), failed
    assert "other host keys than before" in system.cli.ok("backup", "to", server.repository).err
    system.cli.ok("backup", "list")
