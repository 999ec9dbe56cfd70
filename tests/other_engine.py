"""Another Debian's Docker for tests to run on: `--engine-root FOLDER` (CONTRIBUTING.md)."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from tests.e2e.support.own_engine import own_engine
from tests.e2e.support.system import BASE_IMAGE, HERE, Place
from tests.e2e.support.world import IMAGE, build_image

from mailpod.engine.docker import DockerEngine
from mailpod.services.images import ACCOUNT, DNS, MAIN, ensure_images


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine-root",
        type=Path,
        metavar="FOLDER",
        help="root file system of a Debian whose Docker is to be tested, in the place of the engine that runs",
    )


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Where systems run."""
    root = request.config.getoption("engine_root")
    if not root:
        yield HERE
        return
    images = [MAIN, DNS, *ACCOUNT.values()]
    ensure_images(DockerEngine(), print, images)
    here = docker.from_env()
    build_image(here, BASE_IMAGE)
    here.close()
    tags = [BASE_IMAGE, IMAGE, *(image.tag for image in images)]
    with own_engine(tmp_path_factory.mktemp("engine"), tags, root.resolve()) as engine:
        yield engine.place
