"""What an account holds that has nothing to do."""

from functools import partial

import pytest
from docker.models.containers import Container
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once

SHARED = {"s6-svscan", "s6-supervise", "s6-log", "master", "qmgr", "tcpserver"}
LISTENERS = {"classic": SHARED | {"couriertcpd", "authdaemond"}, "dovecot": SHARED | {"dovecot", "anvil", "log"}}


def processes(container: Container) -> set[str]:
    titles, rows = (container.top(ps_args="-o pid,comm")[key] for key in ("Titles", "Processes"))
    return {row[titles.index("COMMAND")] for row in rows}


@pytest.fixture(scope="module")
def idle(system: System) -> dict[str, Account]:
    """An account of each stack."""
    return {stack: system.create(f"idle-{stack}", "--stack", stack) for stack in LISTENERS}


def at_rest(container: Container, expected: set[str]) -> bool:
    return processes(container) == expected


def test_an_account_at_rest_keeps_only_what_listens(system: System, idle: dict[str, Account]) -> None:
    """After mail has come and been read, all the rest ends by itself, soon after the next health check."""
    for account in idle.values():
        system.wait_for(account, system.post(account.address))
    for stack, account in idle.items():
        container, expected = system.engine.account(account.name), LISTENERS[stack]
        until(partial(at_rest, container, expected), f"nothing but {sorted(expected)}", 120)
    for account in idle.values():
        system.wait_for(account, system.post(account.address))


def test_nobody_hears_of_the_ending_of_what_is_not_needed(system: System, idle: dict[str, Account]) -> None:
    for account in idle.values():
        log = system.engine.account(account.name).logs().decode()
        assert "killed by signal" not in log
        assert "rip=127." not in log
