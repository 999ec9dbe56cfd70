import pytest
from tests.fakes.stack import checks

from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.model.passwords import MAX_APP_PASSWORDS, Hashes
from mailpod.services import accounts, app_passwords, images


def kept(system, name="alice"):
    """The words of each line that an account keeps."""
    text = system.files_of(system.store.account(name)).get("etc/app_passwords", b"").decode()
    return [line.split("\t") for line in text.splitlines()]


def test_a_new_one_is_generated_and_kept_by_the_account_alone_as_hashes(system):
    system.up("alice")
    state = system.state().folder
    made, password = app_passwords.add(system.process(), "Alice", "Phone", "imap")
    assert (made.name, made.scope, made.last_use) == ("phone", "imap", None)
    ((name, scope, created, selector, *hashes),) = kept(system)
    assert (name, scope, created) == ("phone", "imap", made.created.isoformat())
    assert password.startswith(f"{selector}-")
    assert checks(Hashes(*hashes), password)
    assert password not in str(kept(system))
    assert system.state().folder == state


def test_all_are_listed_by_name_with_their_last_use(system):
    system.up("alice")
    made = [app_passwords.add(system.process(), "alice", name, "all")[0] for name in ("work", "phone")]
    assert app_passwords.views(system.process(), "ALICE") == made[::-1]
    context = system.process()
    context.channel.last_use = 1714564860
    assert {one.last_use.isoformat() for one in app_passwords.views(context, "alice")} == {"2024-05-01T12:01:00+00:00"}


def test_one_is_revoked_and_the_others_stay(system):
    system.up("alice")
    for name in ("phone", "work"):
        app_passwords.add(system.process(), "alice", name, "all")
    work = kept(system)[1]
    assert app_passwords.revoke(system.process(), "alice", "Phone") == "phone"
    assert kept(system) == [work]
    with pytest.raises(NotFound, match="no app password 'phone'"):
        app_passwords.revoke(system.process(), "alice", "phone")


def test_the_main_password_is_another_matter(system):
    system.up("alice")
    main = system.files_of(system.store.account("alice"))["etc/password"]
    app_passwords.add(system.process(), "alice", "phone", "all")
    app = kept(system)
    assert system.files_of(system.store.account("alice"))["etc/password"] == main
    accounts.set_password(system.process(), "alice", "another password")
    assert kept(system) == app


def test_a_name_is_given_once_in_an_account(system):
    system.up("alice", "bob")
    app_passwords.add(system.process(), "alice", "phone", "all")
    app_passwords.add(system.process(), "bob", "phone", "all")
    before = system.state()
    with pytest.raises(AlreadyExists):
        app_passwords.add(system.process(), "alice", "PHONE", "imap")
    assert system.state() == before


def test_there_are_no_more_than_anybody_needs(system):
    system.up("alice")
    for number in range(MAX_APP_PASSWORDS):
        app_passwords.add(system.process(), "alice", f"app{number}", "all")
    before = system.state()
    with pytest.raises(InvalidInput, match="no more are kept"):
        app_passwords.add(system.process(), "alice", "one-more", "all")
    assert system.state() == before
    app_passwords.revoke(system.process(), "alice", "app0")
    app_passwords.add(system.process(), "alice", "one-more", "all")


def test_the_account_has_the_same_limit():
    script = (images.SOURCES / "images/account/base/operator/app_passwords").read_text()
    assert f"-lt {MAX_APP_PASSWORDS} ]" in script


def calls(context):
    return (
        lambda: app_passwords.views(context, "alice"),
        lambda: app_passwords.add(context, "alice", "phone", "all"),
        lambda: app_passwords.revoke(context, "alice", "phone"),
    )


def test_nothing_without_a_system_an_account_or_main(system):
    for call in calls(system.process()):
        with pytest.raises(NotFound):
            call()
    system.up("bob")
    for call in calls(system.process()):
        with pytest.raises(NotFound, match="alice"):
            call()
    accounts.create(system.process(), "alice", "correct horse")
    system.world.containers["mailpod-main"].state = "exited"
    for call in calls(system.process()):
        with pytest.raises(MailpodError, match="main system is not running"):
            call()


def test_an_account_that_is_down_is_said_to_be(system):
    system.up("alice")
    app_passwords.add(system.process(), "alice", "phone", "all")
    before = kept(system)
    system.world.containers["mailpod-alice"].state = "exited"
    for call in calls(system.process()):
        with pytest.raises(MailpodError, match="alice is not running") as raised:
            call()
        assert raised.value.exit_code == 1
    assert kept(system) == before


def test_a_name_that_cannot_be_is_refused_before_the_engine_is_asked(system):
    system.up("alice")
    system.world.reachable = False
    for call in (
        lambda: app_passwords.add(system.process(), "alice", "my phone", "all"),
        lambda: app_passwords.revoke(system.process(), "alice", "../password"),
    ):
        with pytest.raises(InvalidInput):
            call()


def test_they_stay_while_an_account_is_deleted_and_kept(system):
    system.up("alice")
    app_passwords.add(system.process(), "alice", "phone", "all")
    before = kept(system)
    accounts.delete(system.process(), "alice", purge=False)
    accounts.undelete(system.process(), "alice")
    assert kept(system) == before
