"""One running system for all end-to-end tests of a stack, made by the launcher and taken away at the end."""

import contextlib
from collections.abc import Generator, Iterator
from typing import get_args

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from tests.e2e.support.browser import PATIENCE, chromium
from tests.e2e.support.dripping import Drips, dripping
from tests.e2e.support.swarm import SwarmSystem, running_swarm
from tests.e2e.support.system import Account, Place, System, running_system

from mailpod.model.records import DEFAULT_STACK, Stack
from mailpod.services.images import ACCOUNT, BACKUP

DOMAIN = "club.test"
STACKS = sorted(get_args(Stack), key=lambda stack: stack != DEFAULT_STACK)

_system: System | None = None


@pytest.fixture(scope="session", params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """What accounts are made of that do not say otherwise: every test comes once for each."""
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a marker says another stack would not tell."""

    def wanted(item: pytest.Item) -> bool:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            return True
        stack = item.callspec.params.get("stack", DEFAULT_STACK)
        only = item.get_closest_marker("stack")
        return stack == only.args[0] if only else stack == DEFAULT_STACK or not item.get_closest_marker("once")

    left_out = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def system(stack: str, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The main system of club.test, reachable from outside, resolving only through the outside."""
    global _system  # noqa: PLW0603  (the report hook below has no fixture to ask)
    with running_system(DOMAIN, tmp_path_factory.mktemp("system"), place, stack) as made:
        _system = made
        made.first = made.create("alice")
        yield made
        _system = None


@pytest.fixture(scope="session")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmSystem]:
    """The main system of guild.test on three machines, with accounts on all of them."""
    with running_swarm(tmp_path_factory.mktemp("swarm"), more=[ACCOUNT["classic"], BACKUP]) as made:
        yield made


@pytest.fixture(scope="session")
def alice(system: System) -> Account:
    """The system's first account."""
    assert system.first
    return system.first


@pytest.fixture(scope="session")
def bob(system: System) -> Account:
    """Another account."""
    return system.create("bob")


@pytest.fixture(scope="session")
def drips(system: System) -> Iterator[Drips]:
    """Clients that say one byte a second, beside some hundred tests."""
    with dripping(system) as made:
        yield made


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives a browser."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(system: System, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser outside."""
    running = chromium(playwright, system.world, tmp_path_factory.mktemp("browser"))
    yield running
    running.close()


@pytest.fixture(scope="module", autouse=True)
def tidy() -> Iterator[None]:
    """After each module, take away its accounts: those that nobody uses any more cost time in whatever comes next."""
    yield
    if _system:
        _system.forgive()
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
