"""For whom behind it this machine answers on its own IPv6 network: neighbour proxying (RFC 4861 section 7.2.8)."""

import itertools
import re
import subprocess
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

_PROC = Path("/proc")
_CONFIGURATION = Path("/etc/ndppd.conf")
_RULE = re.compile(r"^\s*rule\s+([0-9a-fA-F:/]+)", re.MULTILINE)


def answered(interface: str, proc: Path = _PROC) -> list[IPv6Network]:
    """What the machine answers for on a network, by the rules of a running ndppd(1) and by the kernel's own entries."""
    by_kernel = _word(proc / "sys/net/ipv6/conf" / interface / "proxy_ndp") == "1"
    return [*_rules(proc), *(_entries(interface) if by_kernel else [])]


def ignores_routers(interface: str, proc: Path = _PROC) -> bool:
    """Whether the machine does not learn its router from that network: one that forwards does only with accept_ra 2."""
    configured = proc / "sys/net/ipv6/conf"
    return _word(configured / "all/forwarding") == "1" == _word(configured / interface / "accept_ra")


def _rules(proc: Path) -> list[IPv6Network]:
    for command in proc.glob("[0-9]*/cmdline"):
        try:
            words = command.read_text(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if Path(words[0]).name == "ndppd":
            named = [second for first, second in itertools.pairwise(words) if first == "-c"]
            return _of_configuration(Path(named[0]) if named else _CONFIGURATION)
    return []


def _of_configuration(path: Path) -> list[IPv6Network]:
    try:
        found = _RULE.findall(path.read_text())
    except OSError:
        return []
    return [IPv6Network(one, strict=False) for one in found]


def _entries(interface: str) -> list[IPv6Network]:
    """As ip-neighbour(8) shows them, one a line."""
    words = ["ip", "-6", "neighbour", "show", "proxy", "dev", interface]
    try:
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return [IPv6Network(IPv6Address(line.split()[0])) for line in said.splitlines() if line.strip()]


def _word(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
