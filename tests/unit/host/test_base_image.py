import pytest

from mailpod.host import base_image
from mailpod.model.errors import MailpodError

TAG = "mailpod-base:test"


class FakeImages:
    def __init__(self, *present, registry=False):
        self.tags = set(present)
        self.registry = registry
        self.archives = []

    def has_image(self, tag):
        return tag in self.tags

    def pull_image(self, reference):
        if self.registry:
            self.tags.add(reference)
        return self.registry

    def import_image(self, archive, tag):
        self.archives.append((archive, archive.read_text()))
        self.tags.add(tag)

    def tag_image(self, reference, tag):
        assert reference in self.tags
        self.tags.add(tag)


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """A stand-in for mmdebstrap, as shell text with $1 for the archive."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(base_image, "ensure_commands", lambda console, needs: None)

    def set_text(text):
        monkeypatch.setattr(base_image, "bootstrap_command", lambda archive: ["sh", "-c", text, "sh", str(archive)])

    return set_text


def test_nothing_happens_when_the_image_is_there():
    said = []
    base_image.ensure_base_image(FakeImages(TAG), TAG, said.append)
    assert said == []


@pytest.mark.parametrize("images", [FakeImages(registry=True), FakeImages(base_image.REFERENCE)])
def test_a_registry_or_what_it_gave_before_is_used(images):
    base_image.ensure_base_image(images, TAG, lambda text: None)
    assert images.tags == {TAG, base_image.REFERENCE}
    assert images.archives == []


def test_bootstrapped_where_no_registry_answers(bootstrap, tmp_path):
    bootstrap('echo "root file system" > "$1"')
    images = FakeImages()
    base_image.ensure_base_image(images, TAG, lambda text: None)
    assert [text for _, text in images.archives] == ["root file system\n"]
    assert list(tmp_path.iterdir()) == []


def test_a_failed_bootstrap_says_why_and_leaves_nothing(bootstrap, tmp_path):
    bootstrap('touch "$1"; echo "E: mirror is gone"; echo "E: apt-get update failed to execute"; exit 1')
    images = FakeImages()
    with pytest.raises(MailpodError, match="mirror is gone"):
        base_image.ensure_base_image(images, TAG, lambda text: None)
    assert images.tags == set()
    assert list(tmp_path.iterdir()) == []


def test_a_bootstrap_that_hangs_is_ended(bootstrap, tmp_path, monkeypatch):
    bootstrap("sleep 60")
    monkeypatch.setattr(base_image, "_BOOTSTRAP_SECONDS", 0.1)
    with pytest.raises(MailpodError, match="was not done"):
        base_image._bootstrap(tmp_path / "root.tar")


def test_no_room_is_seen_before_anything_is_made(bootstrap, monkeypatch):
    monkeypatch.setattr(base_image, "_ROOM", 1 << 60)
    with pytest.raises(MailpodError, match="needs"):
        base_image.ensure_base_image(FakeImages(), TAG, lambda text: None)


def test_the_archive_keys_are_installed_where_they_are_missing():
    assert base_image.bootstrap_needs(keyring=True) == ["mmdebstrap"]
    assert base_image.bootstrap_needs(keyring=False) == ["mmdebstrap", "debian-archive-keyring"]


def test_bootstrap_command(tmp_path):
    command = base_image.bootstrap_command(tmp_path / "root.tar")
    assert command[:3] == ["mmdebstrap", "--quiet", "--variant=minbase"]
    assert command[-2:] == ["trixie", str(tmp_path / "root.tar")]
    # dpkg(1): of several matching rules the last one counts.
    rules = [part for part in command if "path-" in part]
    assert rules[-1] == "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    assert not any(part.startswith("--arch") for part in command)
