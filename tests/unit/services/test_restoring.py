import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import counting

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.depot import DepotError
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.services import accounts, backing_up, freezing, installation, restoring, restoring_messages
from mailpod.services.channel import ChannelClosed

OLD, NEW = "home/Maildir/cur/1:2,S", "home/Maildir/cur/2:2,S"
MESSAGE = b"Message-ID: <one@outside.test>\nSubject: one\n\nHello\n"


def files(here, name="alice"):
    return here.world.volumes[here.world.containers[f"mailpod-{name}"].volume].files


@pytest.fixture
def here(system, tmp_path):
    """A system with alice, who has one message in her backup and another since."""
    system.up("alice", "bob")
    backing_up.set_up(system.process(), str(tmp_path / "depot"), {})
    files(system)[OLD] = File(OLD, MESSAGE, 0o600, 1000)
    backing_up.back_up(system.process())
    files(system)[NEW] = File(NEW, b"newer", 0o600, 1000)
    return system


def mail(here, name="alice"):
    return {path for path in files(here, name) if path.startswith("home/")}


def test_an_account_is_as_it_was_and_what_it_was_since_is_kept(here):
    before = here.store.account("alice")
    view = restoring.restore(here.process(), "Alice", "")
    assert (view.account.id, view.status) == (before.id, "running")
    assert mail(here) == {OLD}
    [kept] = here.store.deleted()
    assert kept.name.startswith("alice-until-")
    here.check_converged()
    assert installation.apply(here.process()) == []
    accounts.undelete(here.process(), kept.name)
    assert mail(here, kept.name) == {OLD, NEW}
    here.check_converged()


WAITS = "spool/postfix/deferred/4/4Xy"


def test_what_waited_in_it_goes_on_from_the_restored_one_and_never_from_the_kept_one(here):
    files(here)[WAITS] = File(WAITS, b"to outside", 0o700, 201)
    restoring.restore(here.process(), "alice", "")
    assert here.world.sent == ["deferred/4/4Xy"]
    assert "1 messages that waited in alice go on from there" in here.said
    [kept] = here.store.deleted()
    former = here.store.account("alice").fqdn(here.process().system.domain)
    assert here.files_of(kept)["etc/restored"].decode() == former


def test_while_it_does_not_answer_what_waited_waits_for_apply(here):
    files(here)[WAITS] = File(WAITS, b"to outside", 0o700, 201)
    steps = Steps()
    steps.break_once("channel alice take-queue", ChannelClosed("alice cannot be reached", "see"))
    restoring.restore(here.process(steps), "alice", "")
    assert any("what waited in alice waits still, until: mailpod apply" in said for said in here.said)
    assert not here.world.sent
    installation.apply(here.process())
    assert here.world.sent == ["deferred/4/4Xy"]
    here.check_converged()


@pytest.mark.parametrize("ends", [accounts.delete, freezing.freeze])
def test_one_that_is_deleted_or_frozen_before_that_sends_none_of_it(here, ends):
    files(here)[WAITS] = File(WAITS, b"to outside", 0o700, 201)
    steps = Steps()
    steps.break_once("channel alice take-queue", ChannelClosed("alice cannot be reached", "see"))
    restoring.restore(here.process(steps), "alice", "")
    ends(here.process(), "alice", **({"purge": False} if ends is accounts.delete else {}))
    installation.apply(here.process())
    assert not here.world.sent
    if ends is freezing.freeze:
        freezing.thaw(here.process(), "alice")
        installation.apply(here.process())
        assert here.world.sent == ["deferred/4/4Xy"]
    here.check_converged()


HELD = b"""{"queue_name": "hold", "queue_id": "4Xy", "arrival_time": 1, "message_size": 9, \
"sender": "alice@club.test", "recipients": [{"address": "x@outside.test"}]}
"""


@pytest.mark.parametrize("name", ["alice", "carol"])
def test_what_was_to_leave_at_the_time_of_the_backup_is_told_as_held(here, name):
    context = here.process()
    context.channel.queues[name] = HELD
    restoring.restore_as(context, "alice", name, "") if name == "carol" else restoring.restore(context, "alice", "")
    assert any(
        f"1 messages that were to leave at the time of the backup are on hold in {name}" in said for said in here.said
    )


@pytest.mark.parametrize("name", ["alice", "carol"])
def test_the_account_learns_whose_its_volume_was(here, name):
    """By that name it knows, at its first start, what in the queue was for itself."""
    if name == "alice":
        restoring.restore(here.process(), "alice", "")
    else:
        restoring.restore_as(here.process(), "alice", name, "")
    former = here.store.account("alice").fqdn(here.process().system.domain)
    assert files(here, name)["etc/restored"].content.decode() == ("" if name == "alice" else former)


def test_it_can_be_restored_again_and_deleted_for_good(here):
    for _ in range(2):
        restoring.restore(here.process(), "alice", "")
    assert len(here.store.deleted()) == 2
    here.check_converged()
    accounts.delete(here.process(), "alice", purge=True)
    here.check_converged()


def test_another_account_is_made_of_it(here):
    view = restoring.restore_as(here.process(), "alice", "Carol", "")
    assert (view.account.name, view.status) == ("carol", "running")
    assert view.account.id != here.store.account("alice").id
    assert mail(here, "carol") == {OLD}
    assert mail(here) == {OLD, NEW}
    here.check_converged()


def test_a_deleted_account_comes_back_from_its_backup(here):
    accounts.delete(here.process(), "alice", purge=False)
    assert restoring.restore(here.process(), "alice", "").account.name == "alice"
    assert mail(here) == {OLD}
    here.check_converged()


def damaged(here):
    for depot in here.world.depots.values():
        depot.damaged = True


def another_key(here):
    plan = here.store.backup_plan()
    here.store.save_backup_plan(plan.model_copy(update={"key": "another"}))


def full(here):
    here.world.room = 1


@pytest.mark.parametrize(
    ("broken", "at", "error"),
    [
        (None, "yesterday", InvalidInput),
        (None, "2020-01-01", NotFound),
        (None, "cccccccc", NotFound),
        (damaged, "", DepotError),
        (another_key, "", DepotError),
        (full, "", MailpodError),
    ],
)
def test_what_cannot_be_restored_is_refused_before_anything_is_touched(here, broken, at, error):
    if broken:
        broken(here)
    before = here.state()
    for restore in (
        lambda: restoring.restore(here.process(), "alice", at),
        lambda: restoring.restore_as(here.process(), "alice", "carol", at),
    ):
        with pytest.raises(error):
            restore()
        after = here.state()
        assert (after.containers, after.volumes, after.tables) == (before.containers, before.volumes, before.tables)


def test_a_name_that_is_taken_and_a_frozen_account_are_refused(here):
    with pytest.raises(AlreadyExists):
        restoring.restore_as(here.process(), "alice", "bob", "")
    freezing.freeze(here.process(), "alice")
    with pytest.raises(MailpodError, match="frozen"):
        restoring.restore(here.process(), "alice", "")
    with pytest.raises(NotFound):
        restoring.restore(here.process(), "nobody", "")


def test_one_that_does_not_come_up_goes_on_as_it_was(here):
    steps = Steps()
    steps.break_once("channel main await alice", MailpodError("alice does not answer", "see"))
    with pytest.raises(MailpodError, match="does not answer"):
        restoring.restore(here.process(steps), "alice", "")
    assert mail(here) == {OLD, NEW}
    assert not here.store.deleted()
    here.check_converged()


def test_a_restoring_that_was_killed_leaves_the_old_or_the_new(here, monkeypatch):
    number, seen = 0, set()
    files(here)[WAITS] = File(WAITS, b"to outside", 0o700, 201)
    while True:
        number += 3
        with monkeypatch.context() as patch:
            steps = counting(patch, here)
            steps.die_at(number)
            try:
                restoring.restore(here.process(steps), "alice", "")
            except Killed:
                pass
            else:
                break
        installation.apply(here.process())
        here.check_converged()
        seen.add(frozenset(mail(here)))
        waits = WAITS in files(here)
        assert here.world.sent == ([] if waits else ["deferred/4/4Xy"]), "neither lost nor sent twice"
        if NEW not in mail(here):
            [kept] = here.store.deleted()
            assert NEW in here.files_of(kept)
            accounts.delete(here.process(), kept.name, purge=True)
            files(here)[NEW] = File(NEW, b"newer", 0o600, 1000)
            files(here)[WAITS] = File(WAITS, b"to outside", 0o700, 201)
            here.world.sent.clear()
    assert seen == {frozenset({OLD}), frozenset({OLD, NEW})}


def test_messages_go_into_a_folder_of_the_account_as_it_is(here):
    def restore(folder="", message_id=""):
        return restoring_messages.restore_messages(here.process(), "alice", "", folder, message_id)

    assert restore(folder="INBOX") == 1
    assert restore(message_id="<one@outside.test>") == 1
    assert restore(message_id="one@outside.test") == 1
    for missing in ({"message_id": "two@outside.test"}, {"folder": "Work"}):
        with pytest.raises(NotFound):
            restore(**missing)
    with pytest.raises(InvalidInput):
        restore(folder="/")
    assert mail(here) == {OLD, NEW}


@pytest.mark.parametrize(
    ("folder", "directory"),
    [("INBOX", ""), ("Work", ".Work"), ("Work/Deep", ".Work.Deep"), ("INBOX.Übung", ".Übung")],
)
def test_a_folder_is_a_directory(folder, directory):
    assert restoring_messages.maildir(folder) == directory


def test_the_volume_has_another_name_then(here):
    before = layout.account_volume("mailpod", here.store.account("alice"))
    restoring.restore(here.process(), "alice", "")
    assert layout.account_volume("mailpod", here.store.account("alice")).startswith(f"{before}-")


@pytest.mark.parametrize(
    ("step", "is_restored"),
    [
        ("engine it is being unpacked", False),
        ("engine create mailpod-alice", True),
        ("channel main await alice", True),
    ],
)
def test_one_that_is_interrupted_is_undone_or_finished(here, step, is_restored):
    """By control-C."""
    done = []

    def interrupt(what):
        if what == step and not done:
            done.append(what)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restoring.restore(here.process(interrupt), "alice", "")
    assert mail(here) == ({OLD} if is_restored else {OLD, NEW})
    assert accounts.show(here.process(), "alice").status == "running"
    assert any(("finishing" if is_restored else "undoing") in line for line in here.said)
    here.check_converged()


def test_one_that_is_interrupted_while_it_is_stopped_runs_on(here):
    def interrupt(what):
        if what == "engine remove mailpod-alice" and "mailpod-alice" in here.world.containers:
            here.world.containers.pop("mailpod-alice")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restoring.restore(here.process(interrupt), "alice", "")
    assert (mail(here), accounts.show(here.process(), "alice").status) == ({OLD, NEW}, "running")
    here.check_converged()
