"""Limits of a machine's kernel that many accounts reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailpod.model.doctor.finding import Finding
from mailpod.model.networks import CAPACITY

_NEARLY = 0.8
_BRIDGE_PORTS = 1023


@dataclass(frozen=True)
class Kernel:
    """What a kernel allows and what is in use; 0 for what it does not tell.

    Attributes:
        inotify_instances: for one user; every IMAP session that idles takes one of user 1000's, over all accounts.
        neighbours: entries of the table of IPv6 neighbours, of which each account takes one or two.
    """

    inotify_instances: int = 0
    files: int = 0
    most_files: int = 0
    tasks: int = 0
    most_tasks: int = 0
    connections: int = 0
    most_connections: int = 0
    neighbours: int = 0


def of_kernel(kernel: Kernel, machine: str, accounts: int, wanted_instances: int) -> Iterator[Finding]:
    """Judge a machine's limits.

    Args:
        machine: its name.
        accounts: how many it has.
        wanted_instances: of inotify, how many a machine with many accounts needs.
    """
    if 0 < kernel.inotify_instances < wanted_instances:
        what = f"one user may have {kernel.inotify_instances} inotify instances: idle mail apps hear late of new mail"
        do = f"sysctl fs.inotify.max_user_instances={wanted_instances}"
        yield Finding("warning", what, machine, do, "limits")
    if 0 < kernel.neighbours < 2 * accounts:
        what = f"the table of IPv6 neighbours has {kernel.neighbours} entries for {accounts} accounts"
        do = f"sysctl net.ipv6.neigh.default.gc_thresh3={4 * accounts}"
        yield Finding("warning", what, machine, do)
    for name, used, most, do in (
        ("open files", kernel.files, kernel.most_files, "sysctl fs.file-max=N, with a larger N"),
        ("processes and threads", kernel.tasks, kernel.most_tasks, "sysctl kernel.pid_max=N kernel.threads-max=N"),
        (
            "tracked connections",
            kernel.connections,
            kernel.most_connections,
            "sysctl net.netfilter.nf_conntrack_max=N, with a larger N",
        ),
    ):
        if most and used > _NEARLY * most:
            yield Finding("warning", f"{used} of at most {most} {name} are in use", machine, do)


def of_bridges(ports: Mapping[str, int]) -> Iterator[Finding]:
    """Networks that are nearly full.

    Args:
        ports: by network, how many containers are on it.
    """
    for name, count in ports.items():
        if count > CAPACITY + (_BRIDGE_PORTS - CAPACITY) // 2:
            what = f"{count} containers are on a network, and a bridge takes {_BRIDGE_PORTS}"
            yield Finding("warning", what, name, "move containers that are not mailpod's to another network")
