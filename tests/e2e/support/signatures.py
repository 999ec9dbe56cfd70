"""DKIM as others see it: the keys in the outside's DNS, and what programs not written here think of a message."""

from tests.e2e.support.system import System
from tests.e2e.support.world import INBOX


def publish(system: System) -> None:
    """As the operator does."""
    keys = system.cli.ok("dkim", "show", "--json").json()
    system.world.publish({key["record"]: key["text"] for key in keys})


def check(system: System, words: str) -> None:
    """Each of the two signatures of a message that has arrived is right by dkimpy, and OpenDKIM finds one that is."""
    file = f'"$(grep --recursive --files-with-matches "{words}" {INBOX})"'
    for index in range(2):
        code, said = system.world.run("sh", "-c", f"dkimverify --index {index} < {file}")
        assert code == 0, said
    code, said = system.world.run("sh", "-c", f"opendkim-testmsg < {file}")
    assert code == 0, said
