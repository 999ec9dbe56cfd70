"""What the kernel of this machine allows, and what is in use."""

from pathlib import Path

from mailpod.host.facts import INOTIFY_INSTANCES
from mailpod.model.doctor.limits import Kernel

_PROC = Path("/proc")


def read(proc: Path = _PROC, inotify: Path = INOTIFY_INSTANCES) -> Kernel:
    """Ask proc(5); what it does not tell is 0."""
    handles = _numbers(proc / "sys/fs/file-nr")
    most_tasks = [_number(proc / "sys/kernel" / name) for name in ("pid_max", "threads-max")]
    return Kernel(
        inotify_instances=_number(inotify),
        files=handles[0] if len(handles) == 3 else 0,
        most_files=handles[2] if len(handles) == 3 else 0,
        tasks=_tasks(proc / "loadavg"),
        most_tasks=min([most for most in most_tasks if most], default=0),
        connections=_number(proc / "sys/net/netfilter/nf_conntrack_count"),
        most_connections=_number(proc / "sys/net/netfilter/nf_conntrack_max"),
        neighbours=_number(proc / "sys/net/ipv6/neigh/default/gc_thresh3"),
    )


def _number(path: Path) -> int:
    return next(iter(_numbers(path)), 0)


def _numbers(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def _tasks(loadavg: Path) -> int:
    """All there are: the fourth word is `RUNNABLE/ALL`."""
    try:
        return int(loadavg.read_text().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0
