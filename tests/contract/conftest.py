import contextlib

import pytest
from tests.contract.labs import DockerLab, FakeLab, swarm_lab

ENGINES = ["fake", *(pytest.param(kind, marks=pytest.mark.engine) for kind in ("docker", "swarm"))]


@pytest.fixture(scope="module", params=ENGINES)
def laboratory(request, tmp_path_factory):
    """One engine; what the tests make on it is taken away at the end, also after a failure."""
    folder = tmp_path_factory.mktemp("images")
    match request.param:
        case "swarm":
            made = swarm_lab(folder)
        case "docker":
            made = contextlib.closing(DockerLab(folder, request.getfixturevalue("place").url))
        case _:
            made = contextlib.closing(FakeLab())
    with made as lab:
        yield lab


@pytest.fixture
def lab(laboratory):
    """The engine with none of the instance's containers and volumes on it."""
    yield laboratory
    for workload in laboratory.engine.workloads(laboratory.instance):
        laboratory.engine.remove(workload.name)
    laboratory.engine.remove_volumes(laboratory.instance)
