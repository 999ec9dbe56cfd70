import tarfile

import pytest

from mailpod.model.archive import File, tar
from mailpod.model.errors import AlreadyExists, InvalidInput, MailpodError
from mailpod.model.records import Account, now
from mailpod.services import account_file

ACCOUNT = Account(id="0123456789ab", name="alice", created=now())
FILES = [File("etc/password", b"hashed\n", 0o600), File("home/Maildir/cur/1", bytes(5000), 0o600, 1000)]


def tree():
    packed = tar(FILES).rstrip(b"\0")
    whole = packed.ljust(-(-len(packed) // 512) * 512 + 5120, b"\0") + bytes(1024)
    return [whole[:700], whole[700:]]


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "alice.tar"
    account_file.write(path, ACCOUNT, "private", "ssh-ed25519 AAAA", tree(), goes_on=False)
    return path


def test_what_is_written_is_read(made):
    packed = account_file.read(made)
    assert (packed.account, packed.ssh_host_key, packed.ssh_host_public) == (ACCOUNT, "private", "ssh-ed25519 AAAA")
    assert b"".join(packed.tree()) == b"".join(tree())


def test_it_is_a_tar_for_its_owner_alone(made):
    assert made.stat().st_mode & 0o777 == 0o600
    with tarfile.open(made) as archive:
        assert archive.getnames()[0] == "mailpod.json"
        assert archive.extractfile("etc/password").read() == b"hashed\n"


def test_another_file_is_not_overwritten(made):
    before = made.read_bytes()
    with pytest.raises(AlreadyExists):
        account_file.write(made, ACCOUNT, "", "", tree(), goes_on=False)
    assert made.read_bytes() == before


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="no folder"):
        account_file.write(tmp_path / "no" / "file", ACCOUNT, "", "", tree(), goes_on=False)


def test_a_tree_that_ends_early_leaves_nothing(tmp_path):
    with pytest.raises(MailpodError, match="too early"):
        account_file.write(tmp_path / "file", ACCOUNT, "", "", tree()[:1], goes_on=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 511, 512, 600, 1536, -2048, -1024, -1])
def test_one_that_is_cut_short_is_refused(made, size):
    whole = made.read_bytes()
    made.write_bytes(whole[:size])
    with pytest.raises(InvalidInput):
        account_file.read(made)


def test_one_with_a_changed_byte_is_refused(made):
    whole = bytearray(made.read_bytes())
    for place in range(0, len(whole), 97):
        whole[place] ^= 1
        made.write_bytes(whole)
        with pytest.raises(InvalidInput):
            account_file.read(made)
        whole[place] ^= 1


def test_what_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"".join(tree()))
    (tmp_path / "b").write_text("hello\n" * 1000)
    for name in ("a", "b", "c", "."):
        with pytest.raises(InvalidInput):
            account_file.read(tmp_path / name)


def test_one_of_a_later_mailpod_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(account_file, "_FORMAT", 2)
    account_file.write(tmp_path / "file", ACCOUNT, "", "", tree(), goes_on=False)
    monkeypatch.undo()
    with pytest.raises(InvalidInput, match="format 2"):
        account_file.read(tmp_path / "file")


def test_one_whose_key_is_more_than_a_key_is_refused(tmp_path):
    path = tmp_path / "file"
    account_file.write(
        path, ACCOUNT, "private", "ssh-ed25519 AAAA\nmain.mailpod.internal ssh-ed25519 B", tree(), goes_on=False
    )
    with pytest.raises(InvalidInput):
        account_file.read(path)
