import contextlib

import pytest
from tests.contract.labs import DockerLab, FakeLab

ENGINES = ["fake", pytest.param("docker", marks=pytest.mark.engine)]


@pytest.fixture(scope="module", params=ENGINES)
def laboratory(request, tmp_path_factory):
    """One engine; what the tests make on it is taken away at the end, also after a failure."""
    with contextlib.ExitStack() as stack:
        lab = FakeLab() if request.param == "fake" else DockerLab(tmp_path_factory.mktemp("images"))
        stack.callback(lab.close)
        yield lab


@pytest.fixture
def lab(laboratory):
    """The engine with none of the instance's containers and volumes on it."""
    yield laboratory
    for workload in laboratory.engine.workloads(laboratory.instance):
        laboratory.engine.remove(workload.name)
    for volume in laboratory.engine.volumes(laboratory.instance):
        laboratory.engine.remove_volume(volume)
