"""What looks for viruses in mail, beside main."""

from mailpod.host import memory
from mailpod.model.errors import MailpodError
from mailpod.model.records import System

GIB = 1024**3
WANTED = 2 * GIB
"""ClamAV holds 1.3 GiB with its makers' signatures, and unpacks what it looks into."""


def check(before: System | None, system: System) -> None:
    """Refuse to begin what this machine has no memory for.

    Args:
        before: the installation as it is, None when there is none yet.
        system: as it is to be.

    Raises:
        MailpodError: less than `WANTED` is available.
    """
    if system.antivirus == "none" or (before and before.running and before.antivirus == system.antivirus):
        return
    there = memory.available()
    if there < WANTED:
        raise MailpodError(
            f"ClamAV needs {WANTED / GIB:.0f} GB of memory, and {there / GIB:.1f} GB are available",
            "give the machine more, or do without: mailpod up DOMAIN --antivirus none",
        )
