import pytest

from mailpod.model.errors import MailpodError
from mailpod.services import accounts
from mailpod.services.images import ACCOUNT


def test_another_stack_keeps_the_account_and_its_volume(system):
    system.up("alice")
    before = system.store.account("alice")
    other = "dovecot" if before.stack == "classic" else "classic"
    view = accounts.change(system.process(), "alice", stack=other)
    assert view.account == before.model_copy(update={"stack": other, "image": ACCOUNT[other].tag})
    assert view.image == ACCOUNT[other].tag
    assert accounts.change(system.process(), "alice", stack=before.stack).account == before
    system.check_converged()


def test_a_volume_too_full_for_a_second_index_is_refused_before_anything_is_touched(system):
    system.up("alice")
    before = system.state()
    other = "dovecot" if system.store.account("alice").stack == "classic" else "classic"
    context = system.process()
    context.channel.room = b"20000000\n20000\n"
    with pytest.raises(MailpodError, match=r"has 19 MiB left.*needs 23"):
        accounts.change(context, "alice", stack=other)
    assert system.state() == before
    context.channel.room = b"30000000\n20000\n"
    accounts.change(context, "alice", stack=other)


def test_room_matters_to_a_change_of_the_stack_alone(system):
    system.up("alice")
    context = system.process()
    context.channel.room = b"0\n20000\n"
    accounts.change(context, "alice", stack=system.store.account("alice").stack, ssh_keys=())
