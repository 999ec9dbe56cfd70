"""What an account holds that has nothing to do."""

from docker.models.containers import Container
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

LISTENERS = {"s6-svscan", "s6-supervise", "s6-log", "master", "qmgr", "couriertcpd", "authdaemond"}


def processes(container: Container) -> set[str]:
    titles, rows = (container.top(ps_args="-o pid,comm")[key] for key in ("Titles", "Processes"))
    return {row[titles.index("COMMAND")] for row in rows}


def test_an_account_at_rest_keeps_only_what_listens(system: System, bob: Account) -> None:
    """After mail has come and been read, all the rest ends by itself, soon after the next health check."""
    system.wait_for(bob, system.post(bob.address))
    container = system.engine.account(bob.name)
    until(lambda: processes(container) == LISTENERS, f"nothing but {sorted(LISTENERS)}", 90)
    system.wait_for(bob, system.post(bob.address))


def test_nobody_hears_of_the_ending_of_what_is_not_needed(system: System, bob: Account) -> None:
    assert "killed by signal" not in system.engine.account(bob.name).logs().decode()
