import dataclasses
import shutil

import pytest
from tests.fakes.engine import FakeEngine
from tests.fakes.steps import Steps
from tests.fakes.world import World

from mailpod.model.errors import MailpodError
from mailpod.services import images
from mailpod.services.images import ACCOUNT, ANTIVIRUS, DNS, MAIN, Image, ensure_images


@pytest.fixture
def image(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "SOURCES", tmp_path)
    folder = tmp_path / "images" / "some"
    (folder / "daemon").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "daemon" / "run").write_text("#!/bin/sh\n")
    return Image("mailpod/some", "some", "")


def test_the_tag_is_stable(image, tmp_path):
    first = image.tag
    assert first.startswith("mailpod/some:")
    assert len(first.partition(":")[2]) == 12
    (image.context / "empty").mkdir()
    shutil.copytree(image.context, tmp_path / "images" / "other")
    assert Image("mailpod/some", "other", "").tag == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "Dockerfile").write_text("FROM scratch \n"),
        lambda folder: (folder / "daemon" / "run").chmod(0o755),
        lambda folder: (folder / "daemon" / "run").rename(folder / "daemon" / "start"),
        lambda folder: (folder / "daemon" / "run").rename(folder / "run"),
        lambda folder: (folder / "daemon" / "more").write_text(""),
        lambda folder: (folder / "daemon" / "run").unlink(),
    ],
)
def test_the_tag_changes_with_what_the_image_is_built_from(image, change):
    before = image.tag
    change(image.context)
    assert dataclasses.replace(image).tag != before


def test_the_tag_is_not_that_of_a_neighbour(image):
    """What only another stack is built from restarts no account of this one."""
    alone = dataclasses.replace(image, others=frozenset({"other"}))
    before = alone.tag
    (image.context / "other").mkdir()
    (image.context / "other" / "run").write_text("")
    assert dataclasses.replace(alone).tag == before
    assert dataclasses.replace(image).tag != before


def test_the_images_are_there_and_their_names_differ():
    images = [MAIN, DNS, ANTIVIRUS, *ACCOUNT.values()]
    assert all((image.context / "Dockerfile").is_file() for image in images)
    assert len({image.tag for image in images}) == len(images) == 5
    for stack, image in ACCOUNT.items():
        assert f" AS {stack}\n" in (image.context / "Dockerfile").read_text()


def test_what_is_missing_is_built_once(image):
    world = World(registry=True)
    said = []
    ensure_images(FakeEngine(world), said.append, [image])
    assert {image.tag, "mailpod/base:trixie"} <= set(world.images)
    assert f"building {image.tag}" in said[-1]
    steps = Steps()
    ensure_images(FakeEngine(world, steps), said.append, [image])
    assert steps.taken == ["engine has_image"]


def test_a_build_that_fails_is_told(image):
    (image.context / "Dockerfile").unlink()
    with pytest.raises(MailpodError, match="building mailpod/some"):
        ensure_images(FakeEngine(World(registry=True)), lambda _line: None, [image])
