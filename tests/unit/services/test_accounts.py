import io
import tarfile

import pytest
from tests.fakes.stack import checks
from tests.fakes.steps import Steps
from tests.fakes.system import DOMAIN, PASSWORD

from mailpod.model import layout
from mailpod.model.archive import tar
from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError, NotFound
from mailpod.model.passwords import Hashes
from mailpod.model.records import DEFAULT_QUOTA, MIN_MEMORY, MIN_QUOTA, NO_QUOTA, Account
from mailpod.services import accounts, aliases, installation


def opens(files, password):
    """Whether a password opens an account with these files."""
    return checks(Hashes(*files["etc/password"].decode().split()), password)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS alice"


def test_create_gives_a_running_account_with_its_keys_password_and_route(system):
    system.up()
    view = accounts.create(system.process(), "Alice", PASSWORD, ssh_keys=(KEY,), memory=MIN_MEMORY)
    assert (view.account.name, view.domain, view.status) == ("alice", DOMAIN, "running")
    assert view.ipv4
    assert view.ipv6
    files = system.files_of(view.account)
    assert opens(files, PASSWORD)
    assert files["etc/ssh/user_keys"].decode() == f"{KEY}\n"
    assert "box@alice.example.org OK" in system.tables()["postfix/recipients"]
    assert KEY in system.tables()["ssh/jump_keys"]
    system.check_converged()


def test_the_password_is_nowhere_in_the_state_nor_in_what_the_engine_was_told(system):
    system.up("alice")
    state = [path.read_bytes() for path in system.folder.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in state)
    alice = system.world.containers["mailpod-alice"]
    assert PASSWORD not in str(alice.labels)
    files = system.files_of(system.store.account("alice"))
    assert not any(PASSWORD.encode() in content for content in files.values())


def test_list_and_show(system):
    system.up("bob", "alice")
    context = system.process()
    assert [view.account.name for view in accounts.views(context)] == ["alice", "bob"]
    assert accounts.show(context, "ALICE") == accounts.views(context)[0]
    del system.world.containers["mailpod-bob"]
    assert accounts.show(context, "bob").status == "missing"
    with pytest.raises(NotFound):
        accounts.show(context, "carol")


def test_an_account_is_not_shown_with_the_container_of_its_predecessor(system):
    system.up("alice")
    old = system.world.containers["mailpod-alice"]
    accounts.delete(system.process(), "alice", purge=False)
    accounts.create(system.process(), "alice", PASSWORD)
    system.world.containers["mailpod-alice"] = old
    assert accounts.show(system.process(), "alice").status == "missing"


@pytest.mark.parametrize("name", ["", "a b", "-a", "a" * 64, "../x", "postmaster", "www", "é"])
def test_wrong_names_are_refused_before_the_engine_is_asked(system, name):
    system.up()
    before = system.state()
    system.world.reachable = False
    with pytest.raises(InvalidInput):
        accounts.create(system.process(), name, PASSWORD)
    assert system.state() == before


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "with\nnewline", "with\x7fdelete", "tab\tbed one"])
def test_wrong_passwords_are_refused_before_the_engine_is_asked(system, password):
    system.up("bob")
    before = system.state()
    system.world.reachable = False
    with pytest.raises(InvalidInput):
        accounts.create(system.process(), "alice", password)
    with pytest.raises(InvalidInput):
        accounts.set_password(system.process(), "bob", password)
    assert system.state() == before


@pytest.mark.parametrize("password", ["x" * 8, "x" * 256, "pässwörd", "with space ", '"quotes" \\ $HOME'])
def test_good_passwords_open_the_account(system, password):
    system.up()
    account = accounts.create(system.process(), "alice", password).account
    assert opens(system.files_of(account), password)


def test_a_name_is_given_once(system):
    system.up("alice")
    aliases.add(system.process(), "team", ["alice"])
    before = system.state()
    for taken in ("alice", "ALICE", "team"):
        with pytest.raises(AlreadyExists):
            accounts.create(system.process(), taken, PASSWORD)
    assert system.state() == before


def test_the_longest_name_is_a_name(system):
    """A label of 63 characters is a valid name; a certificate's common name holds 64."""
    system.up()
    accounts.create(system.process(), "a" * 63, PASSWORD)
    system.check_converged()


def test_nothing_is_done_without_a_system_or_without_main(system):
    for call in (accounts.create, accounts.set_password):
        with pytest.raises(NotFound):
            call(system.process(), "alice", PASSWORD)
    assert not system.folder.exists() or not any(system.folder.iterdir())
    system.up("bob")
    system.world.containers["mailpod-main"].state = "exited"
    before = system.state()
    with pytest.raises(MailpodError, match="main system is not running"):
        accounts.create(system.process(), "alice", PASSWORD)
    with pytest.raises(MailpodError, match="main system is not running"):
        accounts.set_password(system.process(), "bob", PASSWORD)
    assert system.state() == before


def test_no_engine_changes_nothing(system):
    system.up("alice")
    accounts.create(system.process(), "bob", PASSWORD)
    accounts.delete(system.process(), "bob", purge=False)
    before = system.state()
    system.world.reachable = False
    for call in (
        lambda: accounts.create(system.process(), "carol", PASSWORD),
        lambda: accounts.delete(system.process(), "alice", purge=True),
        lambda: accounts.undelete(system.process(), "bob"),
        lambda: accounts.change(system.process(), "alice", memory=MIN_MEMORY),
        lambda: accounts.set_password(system.process(), "alice", PASSWORD),
        lambda: aliases.add(system.process(), "team", ["alice"]),
        lambda: installation.apply(system.process()),
    ):
        with pytest.raises(EngineUnreachable):
            call()
    assert system.state() == before


def test_passwd_changes_the_password_and_nothing_else(system):
    system.up("alice")
    account = system.store.account("alice")
    before = system.files_of(account)
    accounts.set_password(system.process(), "alice", "another password")
    after = system.files_of(account)
    assert opens(after, "another password")
    assert not opens(after, PASSWORD)
    assert after == before | {"etc/password": after["etc/password"]}
    with pytest.raises(NotFound):
        accounts.set_password(system.process(), "nobody", PASSWORD)


def test_change_replaces_the_container_and_keeps_the_volume(system):
    system.up("alice")
    account = system.store.account("alice")
    volumes = set(system.world.volumes)
    system.world.volumes[layout.account_volume("mailpod", account)].files["home/kept"] = "mail"
    view = accounts.change(system.process(), "alice", memory=MIN_MEMORY)
    assert view.account.memory == MIN_MEMORY
    assert set(system.world.volumes) == volumes
    assert system.world.volumes[layout.account_volume("mailpod", account)].files.pop("home/kept") == "mail"
    system.check_converged()


def test_a_new_account_has_a_quota_and_an_old_record_none(system):
    system.up("alice")
    account = system.store.account("alice")
    assert account.quota == DEFAULT_QUOTA
    assert Account.model_validate(account.model_dump(exclude={"quota"})).quota == NO_QUOTA


def test_a_volume_is_made_for_the_quota_and_it_is_told_when_it_cannot_follow(system):
    system.world.limits_volumes = True
    system.up("alice")
    volume = system.world.volumes[layout.account_volume("mailpod", system.store.account("alice"))]
    assert volume.limit > DEFAULT_QUOTA
    for quota, told in ((MIN_QUOTA, 0), (2 * DEFAULT_QUOTA, 1), (NO_QUOTA, 2)):
        accounts.change(system.process(), "alice", quota=quota)
        assert sum("its volume was made for" in line for line in system.said) == told


def test_a_quota_needs_no_new_container(system):
    system.up("alice")
    container = system.world.containers["mailpod-alice"]
    view = accounts.change(system.process(), "alice", quota=MIN_QUOTA)
    assert view.account.quota == MIN_QUOTA
    assert system.world.containers["mailpod-alice"] is container
    system.check_converged()
    assert accounts.change(system.process(), "alice", quota=NO_QUOTA).account.quota == NO_QUOTA
    system.check_converged()


@pytest.mark.parametrize("broken", ["engine create", "channel alice deploy", "channel main tables"])
def test_a_change_that_fails_leaves_the_account_as_it_was(system, broken):
    system.up("alice")
    before = system.state_but_keys()
    steps = Steps()
    context = system.process(steps)
    steps.break_once(broken, MailpodError("no", "try again"))
    with pytest.raises(MailpodError):
        accounts.change(context, "alice", memory=MIN_MEMORY)
    assert system.state_but_keys() == before
    system.check_converged()


def test_what_needs_a_new_container_has_an_image_for_it_first(system):
    """The code has been updated since the last `up`, and nobody has built its images."""
    system.up("alice", "bob")
    accounts.delete(system.process(), "bob", purge=False)
    system.world.images.clear()
    system.world.registry = True
    accounts.change(system.process(), "alice", memory=MIN_MEMORY)
    accounts.undelete(system.process(), "bob")
    system.check_converged()


def test_new_keys_need_no_new_container(system):
    system.up("alice")
    container = system.world.containers["mailpod-alice"]
    accounts.change(system.process(), "alice", ssh_keys=(KEY,))
    assert system.world.containers["mailpod-alice"] is container
    assert KEY in system.tables()["ssh/jump_keys"]
    accounts.change(system.process(), "alice", ssh_keys=())
    assert KEY not in system.tables()["ssh/jump_keys"]
    system.check_converged()


def test_the_last_key_can_be_taken_away(system):
    system.up()
    account = accounts.create(system.process(), "alice", PASSWORD, ssh_keys=(KEY,)).account
    accounts.change(system.process(), "alice", ssh_keys=())
    assert KEY.encode() not in system.files_of(account)["etc/ssh/user_keys"]
    assert KEY not in system.tables()["ssh/jump_keys"]


def test_main_refuses_the_mail_of_a_deleted_account_before_its_container_stops(system):
    """Or it would take mail in these seconds that it can only bounce, perhaps to somebody who never sent it."""
    system.up("alice")
    steps = Steps()
    accounts.delete(system.process(steps), "alice", purge=False)
    assert steps.taken.index("channel main tables") < steps.taken.index("engine remove mailpod-alice")


def test_delete_keeps_the_volume_and_undelete_brings_it_back(system):
    system.up("alice", "bob")
    before = system.state_but_keys()
    account = system.store.account("alice")
    volume = layout.account_volume("mailpod", account)
    [gone] = accounts.delete(system.process(), "Alice", purge=False)
    assert gone.id == account.id
    assert "mailpod-alice" not in system.world.containers
    assert volume in system.world.volumes
    assert "alice" not in system.tables()["postfix/recipients"]
    system.check_converged()
    accounts.undelete(system.process(), "alice")
    system.check_converged()
    assert system.state_but_keys() == before


def test_of_two_deleted_accounts_the_last_one_comes_back(system):
    system.up("alice")
    [first] = accounts.delete(system.process(), "alice", purge=False)
    second = accounts.create(system.process(), "alice", PASSWORD).account
    assert second.id != first.id
    record = system.store.deleted()[0]
    system.store.save_deleted(record.model_copy(update={"deleted": record.created.replace(year=2020)}))
    accounts.delete(system.process(), "alice", purge=False)
    assert accounts.undelete(system.process(), "alice").account.id == second.id
    assert [one.id for one in system.store.deleted()] == [first.id]


def test_undelete_of_what_is_not_kept(system):
    system.up("alice")
    with pytest.raises(NotFound):
        accounts.undelete(system.process(), "alice")
    accounts.delete(system.process(), "alice", purge=False)
    accounts.create(system.process(), "alice", PASSWORD)
    before = system.state()
    with pytest.raises(AlreadyExists):
        accounts.undelete(system.process(), "alice")
    assert system.state() == before


def test_undelete_without_the_volume_changes_nothing(system):
    system.up("alice")
    [account] = accounts.delete(system.process(), "alice", purge=False)
    del system.world.volumes[layout.account_volume("mailpod", account)]
    before = system.state()
    with pytest.raises(NotFound):
        accounts.undelete(system.process(), "alice")
    assert system.state() == before


@pytest.mark.parametrize("first", [False, True])
def test_purge_leaves_nothing(system, first):
    system.up("bob")
    before = system.state()
    accounts.create(system.process(), "alice", PASSWORD)
    if first:
        accounts.delete(system.process(), "alice", purge=False)
    accounts.delete(system.process(), "alice", purge=True)
    assert system.state() == before


def test_delete_of_what_is_not_there(system):
    system.up("alice")
    accounts.delete(system.process(), "alice", purge=False)
    before = system.state()
    with pytest.raises(NotFound):
        accounts.delete(system.process(), "alice", purge=False)
    with pytest.raises(NotFound):
        accounts.delete(system.process(), "bob", purge=True)
    assert system.state() == before


@pytest.mark.parametrize("name", ["../system", "..", "a/b", "", "x" * 300, "../deleted/{id}"])
def test_what_cannot_be_a_name_is_no_account(system, name):
    """Not even one that leads to another file of the state folder."""
    system.up("alice", "bob")
    [kept] = accounts.delete(system.process(), "bob", purge=False)
    before = system.state()
    for call in (
        lambda: accounts.show(system.process(), name.format(id=kept.id)),
        lambda: accounts.delete(system.process(), name.format(id=kept.id), purge=True),
        lambda: accounts.set_password(system.process(), name.format(id=kept.id), PASSWORD),
    ):
        with pytest.raises((NotFound, InvalidInput)):
            call()
    assert system.state() == before


def test_the_seed_of_an_account_is_what_the_operator_channel_takes(system):
    """The account's `deploy` knows each of these names and refuses others."""
    system.up("alice")
    known = system.process().account_files(system.store.account("alice"))
    with tarfile.open(fileobj=io.BytesIO(tar(known))) as archive:
        names = archive.getnames()
    deploy = (installation.images.SOURCES / "images/account/base/operator/deploy").read_text()
    assert all(name in deploy for name in names)
