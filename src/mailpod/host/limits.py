"""A limit of the kernel that all accounts share: every IMAP session that idles holds an inotify instance of user 1000.

Beyond it, new mail is seen once a minute only. It is raised where it is too low, and never lowered.
"""

from pathlib import Path

from mailpod.host.facts import INOTIFY_INSTANCES, Facts

WANTED = 8192
# Read before any other (sysctl.d(5)): what somebody sets for this machine has the last word.
LASTING = Path("/etc/sysctl.d/10-mailpod.conf")


def too_low(facts: Facts) -> bool:
    """Whether the limit is below what many accounts need, and ours to set."""
    return 0 < facts.inotify_instances < WANTED


def lift(kernel: Path = INOTIFY_INSTANCES, lasting: Path = LASTING) -> None:
    """Raise the limit now and, where the system reads such a file, at every boot."""
    kernel.write_text(f"{WANTED}\n")
    if lasting.parent.is_dir():
        lasting.write_text(f"fs.inotify.max_user_instances = {WANTED}\n")
