"""What Compose is told: which services beside main's run, and the values of the variables in `compose.yaml`."""

import json
from collections.abc import Mapping

from mailpod.model import layout, networks
from mailpod.model.records import DNS_PORT, PORTS, System
from mailpod.model.spec import LABEL_INSTANCE, Network
from mailpod.model.tables import internal_name


def compose_override(system: System, *, guarded: bool) -> str:
    """What Compose is told beside `compose.yaml`, as YAML; empty when that says it all.

    Args:
        guarded: the engine lets nothing through to main's IPv6 address unless it is told to.
    """
    main: dict[str, object] = {}
    nameserver: dict[str, object] = {}
    antivirus: dict[str, object] = {}
    if system.resolver and system.antivirus != "none":
        antivirus["dns"] = [system.resolver]
    if guarded and layout.routed(system):
        # In gateway mode "routed" a host's port has no meaning, and its address says only which family is meant. In the
        # long form, Compose 1.29 knows no address.
        main["ports"] = [f"[::]::{port}" for port in (*PORTS.values(), 22)]
        nameserver["ports"] = [f"[::]::{DNS_PORT}/{protocol}" for protocol in ("tcp", "udp")]
    more = list(enumerate(layout.desired_networks(system)))[1:]
    attached: dict[str, object] = {one.name: _attached(system, index) for index, one in more}
    there: dict[str, object] = {one.name: _network(system, one) for _, one in more}
    if local := layout.local_network(system, system.main_node):
        main |= _claiming(layout.main_ipv6(system))
        attached[local] = {}
        if "dns" in profiles(system):
            nameserver |= _claiming(layout.nameserver_ipv6(system)) | {"networks": {local: {}}}
        there[local] = {"external": True, "name": local}
    if attached:
        main["networks"] = attached
    told = {"main": main, "dns": nameserver, "antivirus": antivirus}
    services = {name: one for name, one in told.items() if one}
    if not services:
        return ""
    document: dict[str, object] = {"services": services}
    if there:
        document["networks"] = there
    return json.dumps(document, indent=2) + "\n"


def _claiming(ipv6: str) -> dict[str, object]:
    """What makes a container give itself an address, before it gives up the right to (images/common/claim)."""
    return {"cap_add": ["NET_ADMIN", "SETPCAP"], "environment": {"MAILPOD_IPV6": ipv6}}


def _attached(system: System, index: int) -> dict[str, object]:
    ipv4, ipv6 = layout.main_addresses(system, index)
    return {"aliases": [internal_name("main")], "ipv4_address": ipv4, "ipv6_address": ipv6}


def _network(system: System, network: Network) -> dict[str, object]:
    ipv4, *more = network.subnets
    return {
        "name": network.name,
        "enable_ipv6": True,
        "driver_opts": {"com.docker.network.bridge.gateway_mode_ipv6": _gateway_mode(system)},
        "ipam": {
            "config": [
                {"subnet": ipv4, "ip_range": networks.dynamic(ipv4), "gateway": networks.gateway(ipv4)},
                *({"subnet": ipv6, "gateway": networks.gateway(ipv6)} for ipv6 in more),
            ]
        },
        "labels": {LABEL_INSTANCE: system.instance},
    }


def _gateway_mode(system: System) -> str:
    return "routed" if system.ipv6_routed else "nat"


def profiles(system: System) -> list[str]:
    """Those of `layout.BESIDE_MAIN` that are to run."""
    wanted = {"dns": system.dns == "built-in", "antivirus": system.antivirus != "none"}
    return [name for name in layout.BESIDE_MAIN if wanted[name]]


def main_environment(
    system: System, state: str, images: Mapping[str, str], soa: str, secondaries: str
) -> dict[str, str]:
    """Values of the variables in `compose.yaml`.

    Args:
        state: absolute path of the state folder, where the secrets of main lie.
        images: tags by service.
        soa: value of the SOA record that its zone begins with.
        secondaries: what `secondary.digest` gave, so that the name server is made anew when they are others.
    """
    ipv4, ipv6 = system.networks[0], str(networks.ipv6_subnet(system.ipv6_subnet, 0))
    main4, main6 = layout.main_addresses(system, 0)
    dns4, dns6 = layout.own_nameserver_addresses(system)
    antivirus4, antivirus6 = networks.antivirus_addresses(ipv4, system.ipv6_subnet)
    return {
        "COMPOSE_PROFILES": ",".join(profiles(system)),
        "COMPOSE_PROJECT_NAME": system.instance,
        "MAILPOD_INSTANCE": system.instance,
        "MAILPOD_DOMAIN": system.domain,
        "MAILPOD_STATE": state,
        **{f"MAILPOD_{service.upper()}_IMAGE": tag for service, tag in images.items()},
        "MAILPOD_ANTIVIRUS": system.antivirus,
        "MAILPOD_SOA": soa,
        "MAILPOD_SECONDARIES": secondaries,
        "MAILPOD_BIND": system.bind,
        "MAILPOD_IPV4_SUBNET": ipv4,
        "MAILPOD_IPV4_RANGE": networks.dynamic(ipv4),
        "MAILPOD_IPV4_GATEWAY": networks.gateway(ipv4),
        "MAILPOD_IPV4_MAIN": main4,
        "MAILPOD_IPV6_SUBNET": ipv6,
        "MAILPOD_IPV6_GATEWAY": networks.gateway(ipv6),
        "MAILPOD_IPV6_MAIN": main6,
        "MAILPOD_IPV4_DNS": dns4,
        "MAILPOD_IPV6_DNS": dns6,
        "MAILPOD_IPV4_ANTIVIRUS": str(antivirus4),
        "MAILPOD_IPV6_ANTIVIRUS": str(antivirus6),
        "MAILPOD_PORT_DNS": str(system.dns_port()),
        "MAILPOD_IPV6_MODE": _gateway_mode(system),
        "MAILPOD_ENCRYPTED": "true" if layout.encrypted(system) else "",
        **{f"MAILPOD_PORT_{service.upper()}": str(system.port(service)) for service in PORTS},
    }
