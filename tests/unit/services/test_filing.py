import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD, FakeSystem, counting, fresh_copies

from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.errors import AlreadyExists, EngineUnreachable, InvalidInput, MailpodError
from mailpod.services import accounts, filing, freezing, installation

MAIL = "home/Maildir/cur/1"


@pytest.fixture
def here(system):
    """A system with two accounts, one with a message."""
    system.up("alice", "bob")
    files = system.world.volumes[system.world.containers["mailpod-alice"].volume].files
    files[MAIL] = File(MAIL, b"a message", 0o600, 1000)
    return system


@pytest.fixture
def there(tmp_path, here):
    """Another system."""
    return FakeSystem(tmp_path / "there").up("carol")


@pytest.fixture
def file(tmp_path, here):
    """What alice was before she went on here."""
    filing.to_file(here.process(), "alice", tmp_path / "alice.tar", keep=True)
    return tmp_path / "alice.tar"


def names(system):
    return {view.account.name: view.status for view in accounts.views(system.process())}


def test_an_account_goes_to_another_system_by_a_file(here, there, tmp_path):
    before = here.files_of(here.store.account("alice"))
    path = tmp_path / "alice.tar"
    account = filing.to_file(here.process(), "Alice", path, keep=False)
    assert names(here) == {"bob": "running"}
    here.check_converged()
    view = filing.from_file(there.process(), "alice", path)
    assert (view.account.id, view.status) == (account.id, "running")
    after = there.files_of(view.account)
    for name in (MAIL, "etc/password", "etc/ssh/ssh_host_ed25519_key"):
        assert after[name] == before[name]
    there.check_converged()
    assert installation.apply(there.process()) == []


def test_it_can_go_on_where_it_was(here, file):
    assert names(here)["alice"] == "running"
    here.check_converged()


def test_one_that_went_on_where_it_was_sends_nothing_twice(there, file):
    """Only what is moved has its queue with it as it was."""
    assert layout.RESTORED in there.files_of(filing.from_file(there.process(), "alice", file).account)


def test_one_that_is_moved_does_not_know_of_it(here, there, tmp_path):
    filing.to_file(here.process(), "alice", tmp_path / "file", keep=False)
    moved = filing.from_file(there.process(), "alice", tmp_path / "file").account
    assert layout.RESTORED not in there.files_of(moved)


def test_an_id_is_never_given_twice(here, tmp_path):
    path = tmp_path / "alice.tar"
    gone = filing.to_file(here.process(), "alice", path, keep=False)
    back = filing.from_file(here.process(), "alice", path).account
    assert back.id != gone.id
    assert MAIL in here.files_of(back)
    accounts.delete(here.process(), "alice", purge=False)
    here.check_converged()


def test_what_cannot_be_written_is_refused(here, file, tmp_path):
    context = here.process()
    with pytest.raises(AlreadyExists):
        filing.to_file(context, "alice", file, keep=False)
    with pytest.raises(InvalidInput):
        filing.to_file(context, "alice", tmp_path / "no" / "file", keep=False)
    freezing.freeze(here.process(), "alice")
    with pytest.raises(MailpodError, match="frozen"):
        filing.to_file(context, "alice", tmp_path / "other", keep=False)


@pytest.mark.parametrize("step", ["engine remove mailpod-alice", "engine help", "engine half"])
def test_one_that_cannot_be_written_goes_on_here(here, tmp_path, step):
    steps = Steps()
    steps.break_once(step, EngineUnreachable("gone", "come back"))
    with pytest.raises(MailpodError, match="gone"):
        filing.to_file(here.process(steps), "alice", tmp_path / "alice.tar", keep=False)
    assert names(here)["alice"] == "running"
    assert not (tmp_path / "alice.tar").exists()
    here.check_converged()


def refused(system, error, match, name, path):
    before = system.state()
    with pytest.raises(error, match=match):
        filing.from_file(system.process(), name, path)
    assert system.state() == before


def test_what_cannot_be_taken_is_refused_before_anything_is_touched(here, there, file, tmp_path):
    refused(here, AlreadyExists, "exists already", "alice", file)
    refused(there, InvalidInput, "has the account 'alice'", "dora", file)
    refused(there, InvalidInput, "postmaster", "postmaster", file)
    there.world.room = 1000
    refused(there, MailpodError, "the disk has 0 MiB free", "alice", file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-3000])
    refused(there, InvalidInput, "damaged", "alice", file)


def test_one_that_does_not_come_up_leaves_nothing(there, file):
    before = there.state_but_keys()
    there.world.broken_images = {image for image in there.world.images if "account" in image}
    with pytest.raises(MailpodError):
        filing.from_file(there.process(), "alice", file)
    there.world.broken_images = set()
    assert there.state_but_keys().volumes == before.volumes
    assert names(there) == {"carol": "running"}
    there.check_converged()


def killed_everywhere(system, tmp_path, monkeypatch, operation, check):
    """Kill an operation before each of its steps, then `apply`; problems in words."""
    monkeypatch.setattr("mailpod.services.accounts.ThreadPoolExecutor", Inline)
    problems = []
    for number, now in fresh_copies(system, tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, now)
            steps.die_at(number)
            try:
                operation(now.process(steps))
            except Killed:
                pass
            else:
                break
        try:
            installation.apply(now.process())
            now.check_converged()
            check(now)
        except (AssertionError, MailpodError) as problem:
            problems.append(f"killed before step {number}, {steps.taken[-1]}: {problem}")
    assert number > 15
    return problems


class Inline:
    """Runs a task where it is submitted."""

    def __init__(self, _workers=1):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def submit(self, task, *arguments):
        result = task(*arguments)
        return type("Done", (), {"result": lambda _self: result})()


def test_one_that_is_being_taken_is_there_or_not_after_a_kill(there, file, tmp_path, monkeypatch):
    def check(system):
        if "alice" in names(system):
            assert MAIL in system.files_of(system.store.account("alice"))

    def take(context):
        filing.from_file(context, "alice", file)

    assert not killed_everywhere(there, tmp_path, monkeypatch, take, check)


def test_one_that_is_being_written_is_here_or_in_the_file_after_a_kill(here, tmp_path, monkeypatch):
    path = tmp_path / "alice.tar"

    def check(system):
        assert "alice" in names(system) or path.exists()
        path.unlink(missing_ok=True)
        assert [key for key in system.world.volumes if "alice" in key]

    def write(context):
        filing.to_file(context, "alice", path, keep=False)

    assert not killed_everywhere(here, tmp_path, monkeypatch, write, check)


def test_a_new_account_of_that_name_is_another_one(here, tmp_path):
    filing.to_file(here.process(), "alice", tmp_path / "alice.tar", keep=False)
    accounts.create(here.process(), "alice", PASSWORD)
    with pytest.raises(AlreadyExists):
        filing.from_file(here.process(), "alice", tmp_path / "alice.tar")
