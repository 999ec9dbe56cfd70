import dataclasses
import re
import shutil

import pytest
from tests.fakes.engine import FakeEngine
from tests.fakes.steps import Steps
from tests.fakes.world import World

from mailpod.model.errors import MailpodError
from mailpod.services import images
from mailpod.services.images import ACCOUNT, ANTIVIRUS, BACKUP, COMMON, DNS, MAIN, Image, ensure_images


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


def test_a_program_in_python_is_part_of_what_the_image_is_built_from(image, tmp_path, monkeypatch):
    module = tmp_path / "module.py"
    module.write_text("")
    monkeypatch.setattr(images.distributions, "files", lambda name: {f"{name}/module.py": module})
    with_program = dataclasses.replace(image, programs=("program",))
    before = with_program.tag
    assert before != image.tag
    module.write_text("pass\n")
    assert dataclasses.replace(with_program).tag != before
    with image.whole_context() as context:
        assert context == image.context
    with with_program.whole_context() as context:
        assert (context / "distributions" / "program" / "module.py").read_text() == "pass\n"
        assert (context / "daemon" / "run").is_file()
    assert not context.exists()


def test_packages_of_another_time_are_another_image(image, monkeypatch):
    """Also what stands on it, and both are built for that time."""
    above = Image("mailpod/above", "some", base=image)
    before = image.tag, above.tag
    engine, asked = FakeEngine(World(registry=True)), []
    monkeypatch.setattr(engine, "build_image", lambda _c, tag, _t, arguments, _p: asked.append((tag, arguments)))
    images.renew(engine, lambda _line: None, [above])
    assert re.fullmatch(r"\d{8}-\d{4}", images.packages())
    assert (image.tag, above.tag) == tuple(f"{tag}-{images.packages()}" for tag in before)
    assert asked == [
        (image.tag, {"BASE": "mailpod/base:trixie", "PACKAGES": images.packages()}),
        (above.tag, {"BASE": image.tag}),
    ]


@pytest.mark.parametrize("before", ["", "20260101-0000"])
def test_packages_that_cannot_be_had_leave_everything_as_it_is(image, tmp_path, before):
    if before:
        (tmp_path / "images" / "packages").write_text(f"{before}\n")
    tag, world = image.tag, World(registry=True)
    with pytest.raises(MailpodError, match="building"):
        images.renew(FakeEngine(world), lambda _line: None, [image, Image("mailpod/none", "none")])
    assert (image.tag, images.packages()) == (tag, before)
    assert not [name for name in world.images if name.startswith("mailpod/some")]


def test_a_folder_that_cannot_be_written_to_is_told(image, tmp_path):
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(MailpodError, match="cannot be written"):
        images.renew(FakeEngine(World()), lambda _line: None, [])


def test_whatever_stands_on_debian_takes_its_packages_anew():
    """What stands on an image of ours does so because that one is another."""
    for image in (COMMON, MAIN, DNS, ANTIVIRUS, BACKUP, *ACCOUNT.values()):
        text = (image.context / "Dockerfile").read_text()
        at = [text.find(words) for words in ("ARG PACKAGES\n", "apt-get update", "apt-get upgrade", "apt-get install")]
        assert (at == sorted(at) and -1 not in at) if image.base is None else at[0] == -1, image.folder


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
