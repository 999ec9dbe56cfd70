"""What an account proves itself with at main: its own, for as long as its container lives, and replaced on demand."""

import pytest
from tests.fakes.steps import Steps

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import MIN_MEMORY
from mailpod.services import accounts, installation, rotating


def relay_secret(system, name):
    """With which an account logs in to main's relay, by its own file."""
    files = system.files_of(system.store.account(name))
    return files["etc/relay/sasl_passwd"].decode().strip().rpartition(":")[2]


def test_rotate_replaces_what_the_account_proves_itself_with(system):
    system.up("alice", "bob")
    account = system.store.account("alice")
    before, tables, secret = system.files_of(account), system.tables(), relay_secret(system, "alice")
    container = system.world.containers["mailpod-alice"]
    steps = Steps()
    rotating.rotate(system.process(steps), "Alice")
    after = system.files_of(account)
    changed = {path for path in after if after[path] != before[path]}
    assert changed == {"etc/tls/key.pem", "etc/tls/shown.pem", "etc/tls/cert.pem", "etc/relay/sasl_passwd", "etc/quota"}
    assert relay_secret(system, "alice") != secret
    assert {name for name in tables if tables[name] != system.tables()[name]} == {"dovecot/relay", "quota/accounts"}
    assert system.tables()["dovecot/relay"].splitlines()[1] == tables["dovecot/relay"].splitlines()[1]
    assert system.world.containers["mailpod-alice"] is container
    # The old one is refused, whether the account answers or not.
    assert [step for step in steps.taken if "channel" in step] == ["channel main tables", "channel alice deploy"]
    system.check_converged()


def test_an_account_that_does_not_answer_loses_its_old_credential_all_the_same(system):
    system.up("alice")
    old = system.tables()["dovecot/relay"]
    steps = Steps()
    steps.break_once("channel alice deploy", MailpodError("no", "try again"))
    with pytest.raises(MailpodError):
        rotating.rotate(system.process(steps), "alice")
    assert system.tables()["dovecot/relay"] != old
    installation.apply(system.process())
    system.check_converged()


def test_rotate_of_nobody_changes_nothing(system):
    system.up("alice")
    before = system.state()
    with pytest.raises(NotFound):
        rotating.rotate(system.process(), "nobody")
    assert system.state() == before


def again_by_set(system):
    accounts.change(system.process(), "alice", memory=MIN_MEMORY)


def again_by_undelete(system):
    accounts.delete(system.process(), "alice", purge=False)
    accounts.undelete(system.process(), "alice")


def again_by_apply(system):
    del system.world.containers["mailpod-alice"]
    installation.apply(system.process())


@pytest.mark.parametrize("again", [again_by_set, again_by_undelete, again_by_apply])
def test_a_container_that_is_made_anew_has_a_credential_of_its_own(system, again):
    """What somebody has taken out of the old one opens nothing."""
    system.up("alice", "bob")
    old, other = relay_secret(system, "alice"), relay_secret(system, "bob")
    again(system)
    assert relay_secret(system, "alice") != old
    assert relay_secret(system, "bob") == other
    system.check_converged()


def test_a_container_that_is_only_started_keeps_its_credential(system):
    system.up("alice")
    old = relay_secret(system, "alice")
    system.world.containers["mailpod-alice"].state = "exited"
    installation.apply(system.process())
    assert relay_secret(system, "alice") == old
