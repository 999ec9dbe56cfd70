import errno
import io
import multiprocessing
import os
import threading
from datetime import UTC, datetime

import pytest

from mailpod.model.errors import MailpodError, NotFound
from mailpod.model.records import Account, Alias, System
from mailpod.store import Store, write_durably

SYSTEM = System(
    domain="example.org", instance="mailpod", ipv6_subnet="fd00::/64", port_base=20000, resolver="192.0.2.1"
)
ALICE = Account(
    id="a1",
    name="alice",
    created=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    ssh_keys=("ssh-ed25519 A é", 'ssh-rsa q"\\'),
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


def full(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_saved_is_read(store):
    alias = Alias(local_part="contact", accounts=("a1+tag",), targets=("team", "x@y.example"))
    deleted = ALICE.model_copy(update={"deleted": ALICE.created, "purge": True})
    store.save_system(SYSTEM)
    store.save_account(ALICE)
    store.save_deleted(deleted)
    store.save_alias(alias)
    again = Store(store.folder)
    assert again.system() == SYSTEM
    assert again.accounts() == [ALICE] == [again.account("alice")]
    assert again.deleted() == [deleted]
    assert again.aliases() == [alias]
    assert files(store.folder) == ["a1.toml", "alice.toml", "contact.toml", "system.toml"]


def test_an_empty_folder_holds_nothing(store):
    assert (store.accounts(), store.deleted(), store.aliases(), store.find_system()) == ([], [], [], None)
    for call in (store.system, lambda: store.account("alice"), lambda: store.forget_alias("contact")):
        with pytest.raises(NotFound):
            call()
    store.forget_account(ALICE)
    store.forget_deleted("a1")
    assert not store.folder.exists()


def test_only_the_account_that_is_meant_is_forgotten(store):
    """Not one of the same name that came after it."""
    store.save_account(ALICE)
    older = ALICE.model_copy(update={"id": "a0"})
    assert store.holds(ALICE)
    assert not store.holds(older)
    store.forget_account(older)
    assert store.accounts() == [ALICE]
    store.forget_account(ALICE)
    assert store.accounts() == []


def test_records_are_sorted(store):
    for name in ("carol", "alice", "bob"):
        store.save_account(ALICE.model_copy(update={"name": name}))
        store.save_alias(Alias(local_part=name, targets=("x",)))
    for year, one in ((2025, "b"), (2023, "c"), (2024, "a")):
        store.save_deleted(ALICE.model_copy(update={"id": one, "deleted": ALICE.created.replace(year=year)}))
    assert [account.name for account in store.accounts()] == ["alice", "bob", "carol"]
    assert [alias.local_part for alias in store.aliases()] == ["alice", "bob", "carol"]
    assert [account.id for account in store.deleted()] == ["c", "a", "b"]


def test_the_state_is_for_its_owner_alone(store):
    old = os.umask(0)
    try:
        store.save_account(ALICE)
        with store.lock():
            pass
    finally:
        os.umask(old)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in store.folder.rglob("*"))


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_leaves_the_old_and_no_temporary_file(store, monkeypatch, call):
    store.save_account(ALICE)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(MailpodError, match="No space left on device"):
            store.save_account(ALICE.model_copy(update={"id": "b2"}))
    assert store.account("alice") == ALICE
    assert files(store.folder) == ["alice.toml"]


def test_a_first_write_that_fails_leaves_no_file(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MailpodError):
        store.save_account(ALICE)
    assert files(store.folder) == []


def test_a_folder_that_cannot_be_synced_leaves_the_old_or_the_new(store, monkeypatch):
    store.save_account(ALICE)
    new = ALICE.model_copy(update={"id": "b2"})
    real, calls = os.fsync, []

    def second(descriptor):
        calls.append(descriptor)
        return full() if len(calls) == 2 else real(descriptor)

    monkeypatch.setattr(os, "fsync", second)
    with pytest.raises(MailpodError):
        store.save_account(new)
    assert store.account("alice") in (ALICE, new)
    assert files(store.folder) == ["alice.toml"]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(store, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (done.append(name), real(*a))[1])
    store.save_account(ALICE)
    assert done == ["fsync", "replace", "fsync"]


def test_a_temporary_file_that_a_crash_left_is_no_record_and_in_nobodys_way(store):
    store.save_account(ALICE)
    left = store.folder / "accounts" / f".alice.toml.{os.getpid()}.tmp"
    left.write_text("half a rec")
    assert store.accounts() == [ALICE]
    store.save_account(ALICE.model_copy(update={"id": "b2"}))
    assert store.account("alice").id == "b2"


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path, monkeypatch):
    """`create` renders main's tables in a thread, and both may have to renew main's certificate."""
    path = tmp_path / "file"
    both_wrote = threading.Barrier(2)
    real, errors = os.fsync, []

    def slow(descriptor):
        real(descriptor)
        if os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113
            both_wrote.wait(10)

    def write(content):
        try:
            write_durably(path, content)
        except MailpodError as error:
            errors.append(error)

    monkeypatch.setattr(os, "fsync", slow)
    threads = [threading.Thread(target=write, args=(content,)) for content in (b"a" * 9, b"b" * 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert path.read_bytes() in (b"a" * 9, b"b" * 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml",
        'id = "a1"',
        "\xff",
        'id = "a1"\nname = "alice"\ncreated = "2024-01-02T03:04:05Z"\nmemory = 1\n',
        'id = "a1"\nname = "alice"\ncreated = "2024-01-02T03:04:05Z"\nunknown = 1\n',
    ],
)
def test_a_file_that_was_spoilt_by_hand_is_named_in_one_line(store, text):
    path = store.folder / "accounts" / "alice.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for call in (store.accounts, lambda: store.account("alice")):
        with pytest.raises(MailpodError) as refused:
            call()
        assert str(path) in refused.value.what
        assert "\n" not in refused.value.what
        assert refused.value.hint


def test_a_file_that_is_not_text_is_named(store):
    path = store.folder / "accounts" / "alice.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MailpodError):
        store.accounts()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "state")
    with pytest.raises(MailpodError, match="cannot write"):
        store.save_account(ALICE)
    with pytest.raises(MailpodError, match="cannot write"), store.lock():
        pass


def forbidden(*_arguments, **_options):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(store, monkeypatch):
    """Else every account would be taken for unwanted."""
    store.save_system(SYSTEM)
    store.save_account(ALICE)
    calls = (store.system, store.find_system, store.accounts, store.aliases, lambda: store.account("alice"))
    for name in ("open", "listdir", "scandir", "stat"):
        monkeypatch.setattr(os, name, forbidden)
    monkeypatch.setattr(io, "open", forbidden)
    for call in calls:
        with pytest.raises(MailpodError, match=r"cannot read .*: Permission denied"):
            call()


def test_erase_takes_its_own_and_leaves_what_is_others(store):
    store.save_system(SYSTEM)
    store.save_account(ALICE)
    store.save_deleted(ALICE)
    store.save_alias(Alias(local_part="x", targets=("alice",)))
    write_durably(store.secrets / "ca.pem", b"")
    (store.folder / "notes").write_text("mine")
    store.erase()
    store.erase()
    assert files(store.folder) == ["notes"]


def _count(folder, times):
    store = Store(folder)
    for _ in range(times):
        with store.lock():
            counter = folder / "counter"
            number = int(counter.read_text())
            counter.write_text(str(number + 1))


def test_processes_take_turns(store):
    store.save_system(SYSTEM)
    (store.folder / "counter").write_text("0")
    spawned = multiprocessing.get_context("spawn")
    workers = [spawned.Process(target=_count, args=(store.folder, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    _count(store.folder, 50)
    for worker in workers:
        worker.join(20)
        assert worker.exitcode == 0
    assert (store.folder / "counter").read_text() == "150"


def test_a_lock_is_told_of_and_not_waited_for_for_ever(store, monkeypatch):
    monkeypatch.setattr("mailpod.flock._TELL_AFTER", 0)
    monkeypatch.setattr("mailpod.store._LOCK_SECONDS", 0.1)
    said = []
    with store.lock(shared=True):
        with Store(store.folder, said.append).lock(shared=True):
            assert not said
        with pytest.raises(MailpodError, match="another mailpod"), Store(store.folder, said.append).lock():
            pass
    assert said == ["waiting for another mailpod"]


def test_a_lock_is_free_after_a_failure_and_two_locks_are_two(store):
    with pytest.raises(RuntimeError), store.lock():
        raise RuntimeError
    with store.lock(), store.lock("tables"):
        pass
    held = threading.Event()

    def hold():
        with store.lock():
            held.set()

    with store.lock():
        thread = threading.Thread(target=hold)
        thread.start()
        assert not held.wait(0.1)
    assert held.wait(10)
    thread.join()
