"""An account leaves as a file, comes from one, or is there twice; whatever is killed, nothing half-made stays."""

import gzip
import mailbox
import tarfile

import pytest
from tests.fakes.steps import Killed, Steps
from tests.fakes.system import PASSWORD, counting, fresh_copies

from mailpod.model.archive import File, tar
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError, NotFound
from mailpod.services import accounts, cloning, exporting, freezing, importing, installation, mail_file

MAIL = {
    "home/Maildir/cur/1.M1P1.a:2,S": b"Subject: one\n\nFrom me\n",
    "home/Maildir/new/2.M1P1.a": b"Subject: two\n\n",
    "home/Maildir/.Sent/cur/3.M1P1.a:2,RSa": b"Subject: three\n\n",
    "home/Maildir/.Sent/new/4.M1P1.a": b"Subject: four\n\n",
    "home/Maildir/.Sent/dovecot-keywords": b"0 paid\n",
    "home/Maildir/subscriptions": b"V\t2\n\nSent\n",
    "home/sieve/mine.sieve": b"keep;",
}


@pytest.fixture
def ready(system):
    """A system with an account that has mail, a filter, and secrets."""
    system.up("alice")
    files = system.world.volumes[system.world.containers["mailpod-alice"].volume].files
    files.update({path: File(path, content, 0o600, 1000) for path, content in MAIL.items()})
    return system


@pytest.fixture
def file(ready, tmp_path):
    """What alice is exported to."""
    exporting.export(ready.process(), "Alice", tmp_path / "alice.tar")
    return tmp_path / "alice.tar"


def home(system, name):
    files = system.files_of(system.store.account(name))
    return {path: content for path, content in files.items() if path.startswith("home/") and content}


def test_the_file_can_be_read_by_others_and_has_no_secret(ready, file, tmp_path):
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    box = mailbox.Maildir(tmp_path / "out" / "Maildir", create=False)
    assert sorted(message["Subject"] for message in box) == ["one", "two"]
    assert sorted(message.get_flags() for message in box.get_folder("Sent")) == ["", "RSa"]
    text = file.read_bytes()
    assert not [word for word in (b"PRIVATE KEY", b"$y$", b"argon2", b"relay") if word in text]
    assert file.stat().st_mode & 0o777 == 0o600
    assert ready.process().engine.workloads("mailpod")


def test_it_comes_back_as_it_was(ready, file):
    made = importing.from_file(ready.process(), file, "bob", PASSWORD)
    assert made.status == "running"
    assert home(ready, "bob").items() >= MAIL.items()
    assert made.account.id != ready.store.account("alice").id
    ready.check_converged()


def test_an_mbox_comes_back_with_flags(ready, tmp_path):
    exporting.export(ready.process(), "alice", tmp_path / "a.tgz", "mbox")
    importing.from_file(ready.process(), tmp_path / "a.tgz", "bob", PASSWORD, stack="classic")
    there = home(ready, "bob")
    assert sorted(there.values()) == sorted([*(set(MAIL.values()) - {b"0 paid\n"})])
    assert {path.rpartition(":2,")[2] for path in there if "/cur/" in path} == {"S", "", "RS"}


def foreign(path, files):
    path.write_bytes(tar(File(name, content) for name, content in files.items()))
    return path


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"x/Maildir/cur/1.a:2,S": b"a", "x/Maildir/.Vertr&AOQ-ge/new/2.a": b"b"}, {"": b"a", ".Verträge": b"b"}),
        ({"cur/1.a:2,S": b"a", ".Sent/cur/2.a:2,": b"b"}, {"": b"a", ".Sent": b"b"}),
        ({"M/cur/1:2,": b"a", "M/Old/2023/cur/1:2,": b"b"}, {"": b"a", ".Old.2023": b"b"}),
        (
            {"Mail/Inbox": b"From a\nA: b\n\n", "Mail/Old.sbd/X": b"From a\nC: d\n\n"},
            {"": b"A: b\n", ".Old.X": b"C: d\n"},
        ),
        ({"../../etc/cur/1:2,": b"a", "/etc/password": b"x"}, {"": b"a"}),
    ],
)
def test_mail_of_elsewhere(ready, tmp_path, files, found):
    importing.from_file(ready.process(), foreign(tmp_path / "x.tar", files), "bob", PASSWORD)
    there = {}
    for path, content in ready.files_of(ready.store.account("bob")).items():
        assert not path.startswith(("/", ".."))
        if "/cur/" in path or "/new/" in path:
            folder = path.removeprefix("home/Maildir/").rpartition("cur/" if "/cur/" in path else "new/")[0]
            there[folder.strip("/")] = content
    assert there == found
    assert ready.files_of(ready.store.account("bob"))["etc/password"] != b"x"


def test_some_folders_stay_behind(ready, file):
    """Their bytes do not count either; a name that is no folder's is refused, with those there are."""
    with pytest.raises(InvalidInput, match="no folder 'Send'") as caught:
        importing.from_file(ready.process(), file, "bob", PASSWORD, without=["Send"])
    assert "INBOX, Sent" in caught.value.hint
    small, behind = mail_file.read(file, ["sent"]), sum(len(MAIL[path]) for path in MAIL if "/.Sent/" in path)
    assert (small.messages, small.size) == (2, mail_file.read(file).size - behind)
    importing.from_file(ready.process(), file, "bob", PASSWORD, without=["S*"])
    assert not [path for path in home(ready, "bob") if ".Sent" in path]
    assert home(ready, "bob")["home/Maildir/cur/1.M1P1.a:2,S"]


def test_a_single_mbox(ready, tmp_path):
    path = tmp_path / "mail"
    path.write_bytes(b"From a\nA: b\n\nFrom c\nC: d\n\n")
    with pytest.raises(InvalidInput, match="whose"):
        importing.from_file(ready.process(), path, None, PASSWORD)
    with pytest.raises(InvalidInput, match="no folders"):
        importing.from_file(ready.process(), path, "bob", PASSWORD, without=["Sent"])
    importing.from_file(ready.process(), path, "bob", PASSWORD)
    assert sorted(one for p, one in home(ready, "bob").items() if "/cur/" in p) == [b"A: b\n", b"C: d\n"]


def cut(path, where):
    content = path.read_bytes()
    path.write_bytes(content[:where])


def without_end(path):
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content.ljust(-(-len(content) // 512) * 512, b"\0"))


DAMAGE = {
    "half": lambda path: cut(path, len(path.read_bytes()) // 2),
    "without its end": without_end,
    "a byte": lambda path: path.write_bytes(path.read_bytes().replace(b"Subject: one", b"Subject: two")),
    "half of what is packed": lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-200]),
    "another format": lambda path: path.write_bytes(path.read_bytes().replace(b'"mailpod": 1', b'"mailpod": 2')),
    "empty": lambda path: path.write_bytes(b""),
    "no tar": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(3000)),
    "no file": lambda path: path.unlink(),
    "no mail": lambda path: foreign(path, {"a": b"b"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_whole_is_refused_before_anything_is_touched(ready, file, damage):
    DAMAGE[damage](file)
    before = ready.state()
    with pytest.raises(InvalidInput):
        importing.from_file(ready.process(), file, "bob", PASSWORD)
    assert ready.state() == before


def test_other_refusals_touch_nothing(ready, file, tmp_path):
    before = ready.state()
    refused = [
        (AlreadyExists, lambda c: importing.from_file(c, file, None, PASSWORD)),
        (InvalidInput, lambda c: importing.from_file(c, file, "-", PASSWORD)),
        (InvalidInput, lambda c: importing.from_file(c, file, "bob", "short")),
        (AlreadyExists, lambda c: exporting.export(c, "alice", file)),
        (NotFound, lambda c: exporting.export(c, "bob", tmp_path / "x")),
        (InvalidInput, lambda c: exporting.export(c, "alice", tmp_path / "none" / "x")),
        (AlreadyExists, lambda c: cloning.clone(c, "alice", "alice", PASSWORD)),
        (NotFound, lambda c: cloning.clone(c, "carol", "bob", PASSWORD)),
        (InvalidInput, lambda c: cloning.clone(c, "alice", "www", PASSWORD)),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call(ready.process())
    ready.world.room = 1
    with pytest.raises(MailpodError, match="free"):
        importing.from_file(ready.process(), file, "bob", PASSWORD)
    ready.world.room = 1 << 40
    assert ready.state() == before
    freezing.freeze(ready.process(), "alice")
    with pytest.raises(MailpodError, match="frozen"):
        exporting.export(ready.process(), "alice", tmp_path / "x")


def test_a_clone_has_the_mail_and_nothing_else_of_the_other(ready):
    before = ready.files_of(ready.store.account("alice"))
    made = cloning.clone(ready.process(), "alice", "Second", PASSWORD)
    assert home(ready, "second") == home(ready, "alice")
    there = ready.files_of(made.account)
    for path in ("etc/password", "etc/tls/key.pem", "etc/ssh/ssh_host_ed25519_key", "etc/relay/sasl_passwd"):
        assert there[path] != before[path]
    assert ready.files_of(ready.store.account("alice")) == before
    ready.check_converged()


def importing_of(file):
    return lambda context: importing.from_file(context, file, "bob", PASSWORD)


@pytest.mark.parametrize("what", ["import", "clone"])
def test_a_kill_at_any_step_leaves_all_or_nothing_after_apply(ready, file, tmp_path, monkeypatch, what):
    work = importing_of(file) if what == "import" else lambda c: cloning.clone(c, "alice", "bob", PASSWORD)
    for number, system in fresh_copies(ready, tmp_path / "copy"):
        with monkeypatch.context() as patch:
            steps = counting(patch, system)
            steps.die_at(number)
            try:
                work(system.process(steps))
            except Killed:
                pass
            else:
                break
        installation.apply(system.process())
        system.check_converged()
        assert home(system, "alice").items() >= MAIL.items()
        if "bob" in [account.name for account in system.store.accounts()]:
            assert home(system, "bob").items() >= MAIL.items()
    assert number > 10


def test_what_is_not_read_to_its_end_is_no_file(ready, tmp_path):
    steps = Steps()
    steps.break_once("engine half of it is read", MailpodError("reading failed"))
    with pytest.raises(MailpodError, match="reading failed"):
        exporting.export(ready.process(steps), "alice", tmp_path / "a.tar")
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".tar", ".part"}]
    assert accounts.show(ready.process(), "alice").status == "running"
