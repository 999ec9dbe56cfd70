"""What began beside the garbage of test_bad_clients ends here, after the bad input, which takes as long in any case."""

import pytest
from tests.e2e.support.dripping import DRIPPED, Drips
from tests.e2e.support.system import System
from tests.e2e.support.wait import until


@pytest.mark.once
def test_slow_mail_and_ssh_clients_are_cut_off(system: System, drips: Drips) -> None:
    """One byte a second does not hold a connection for longer than Dovecot's three minutes, the longest of all."""
    until(lambda: drips.cut_off.keys() == DRIPPED, "the end of dripping connections", 200, every=1)
    assert system.main.attrs["State"]["StartedAt"] == drips.main_since
    assert system.banner(143).startswith("* OK")
    assert max(drips.cut_off.values()) < 200
