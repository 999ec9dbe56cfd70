"""What the kernel's routing tables say of this machine's networks."""

import socket
import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

_IPV4 = Path("/proc/net/route")
_IPV6 = Path("/proc/net/ipv6_route")
_GATEWAY = 0x2
"""RTF_GATEWAY of route(7): another machine is on the way."""


def ipv4_networks(table: Path = _IPV4) -> list[str]:
    """Every IPv4 network this machine has a route to, but for the default route."""
    found = []
    for line in _lines(table)[1:]:
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        network = IPv4Network((_address(destination), _address(mask)))
        if network.prefixlen:
            found.append(str(network))
    return found


def public_ipv4() -> str:
    """The address this machine reaches the outside from, if it is not a private one; else empty."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel only chooses a source (RFC 5737: nobody has that address).
            probe.connect(("192.0.2.1", 53))
        except OSError:
            return ""
        found = str(probe.getsockname()[0])
    return found if IPv4Address(found).is_global else ""


def on_link(prefix: str, table: Path = _IPV6) -> tuple[str, str] | None:
    """The interface whose own network holds the prefix, and that network; None when there is none."""
    wanted = IPv6Network(prefix)
    for line in _lines(table):
        destination, length, _, _, _, _, _, _, flags, interface = line.split()
        network = IPv6Network((IPv6Address(bytes.fromhex(destination)), int(length, 16)))
        direct = not int(flags, 16) & _GATEWAY and network.prefixlen and interface != "lo"
        if direct and network.prefixlen <= wanted.prefixlen and wanted.subnet_of(network):
            # One network alone, an engine's bridge, is that prefix itself.
            if network == wanted and interface.startswith("br-"):
                continue
            return interface, str(network)
    return None


def leads_out(interface: str, table: Path = _IPV6) -> bool:
    """Whether the IPv6 default route goes by this interface."""
    default = ("0" * 32, "00", interface)
    return any((words[0], words[1], words[-1]) == default for words in map(str.split, _lines(table)))


def _lines(table: Path) -> list[str]:
    return table.read_text().splitlines() if table.exists() else []


def _address(text: str) -> str:
    return socket.inet_ntoa(struct.pack("=L", int(text, 16)))
