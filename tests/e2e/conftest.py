"""One running system for all end-to-end tests, made by the launcher and taken away at the end."""

import contextlib
from collections.abc import Generator, Iterator

import pytest
from tests.e2e.support.system import Account, System, running_system

DOMAIN = "club.test"

_system: System | None = None


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The main system of club.test, reachable from outside, resolving only through the outside."""
    global _system  # noqa: PLW0603  (the report hook below has no fixture to ask)
    with running_system(DOMAIN, tmp_path_factory.mktemp("system")) as made:
        _system = made
        made.first = made.create("alice")
        yield made
        _system = None


@pytest.fixture(scope="session")
def alice(system: System) -> Account:
    """The system's first account."""
    assert system.first
    return system.first


@pytest.fixture(scope="session")
def bob(system: System) -> Account:
    """Another account."""
    return system.create("bob")


@pytest.fixture(scope="module", autouse=True)
def tidy() -> Iterator[None]:
    """After each module, take away its accounts: those that nobody uses any more cost time in whatever comes next."""
    yield
    if _system:
        _system.keep_only("alice", "bob")


@pytest.fixture
def undamaged(system: System) -> Iterator[System]:
    """The system for a test that breaks something: afterwards it must be whole again for the next."""
    yield system
    system.apply()
    system.wait_until_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the containers' logs to the report of a test that failed."""
    report = yield
    if _system and report.failed and call.when != "teardown":
        with contextlib.suppress(Exception):
            report.sections.append(("containers", _system.logs()))
    return report
