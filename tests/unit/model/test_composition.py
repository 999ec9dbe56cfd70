import json
import re
from pathlib import Path

from tests.unit.model.samples import ROUTED, SYSTEM

from mailpod.model import composition, layout
from mailpod.model.records import PORTS

ROOT = Path(__file__).resolve().parents[3]


def test_compose_is_told_no_more_than_is_needed():
    plain = SYSTEM.model_copy(update={"networks": SYSTEM.networks[:1], "resolver": ""})
    assert composition.compose_override(plain, guarded=False) == ""
    assert composition.compose_override(plain, guarded=True) == ""
    # Main's own resolver asks it, and knows from a table.
    asked = plain.model_copy(update={"resolver": "192.0.2.53"})
    assert composition.compose_override(asked, guarded=True) == ""
    scanned = asked.model_copy(update={"antivirus": "clamav"})
    services = json.loads(composition.compose_override(scanned, guarded=True))["services"]
    assert services == {"antivirus": {"dns": ["192.0.2.53"]}}


def test_main_is_on_every_network():
    told = json.loads(composition.compose_override(ROUTED, guarded=False))
    assert told["services"]["main"]["networks"] == {
        "mailpod-net1": {
            "aliases": ["main.mailpod.internal"],
            "ipv4_address": "172.20.8.2",
            "ipv6_address": "2001:db8::1:0:0:2",
        }
    }
    [network] = told["networks"].values()
    assert network["name"] == "mailpod-net1"
    assert network["driver_opts"] == {"com.docker.network.bridge.gateway_mode_ipv6": "routed"}
    assert network["ipam"]["config"] == [
        {"subnet": "172.20.8.0/21", "ip_range": "172.20.12.0/22", "gateway": "172.20.8.1"},
        {"subnet": "2001:db8:0:0:1::/80", "gateway": "2001:db8::1:0:0:1"},
    ]


def test_mains_ports_are_opened_at_its_own_ipv6_address_where_the_engine_guards_it():
    """Never translated: a client's address would be lost. So no port of the host's is named."""
    main = json.loads(composition.compose_override(ROUTED, guarded=True))["services"]["main"]
    assert set(main["ports"]) == {f"[::]::{port}" for port in (*PORTS.values(), 22)}
    assert "ports" not in json.loads(composition.compose_override(SYSTEM, guarded=True))["services"]["main"]


def test_main_and_the_name_server_take_addresses_of_their_machines_prefix_on_a_swarm():
    update = {"engine": "swarm", "dns": "built-in", "main_node": "node1", "prefixes": {"node1": "2001:db8:1::/64"}}
    system = SYSTEM.model_copy(update={**update, "networks": SYSTEM.networks[:1]})
    told = json.loads(composition.compose_override(system, guarded=False))
    main, name = told["services"]["main"], layout.local_network(system, "node1")
    assert main["environment"] == {"MAILPOD_IPV6": "2001:db8:1::ffff:ffff"}
    assert main["cap_add"] == ["NET_ADMIN", "SETPCAP"]
    assert told["networks"] == {name: {"external": True, "name": name}}
    assert layout.public_addresses(system)[-1] == "2001:db8:1::ffff:ffff"
    nameserver = told["services"]["dns"]
    assert nameserver["environment"] == {"MAILPOD_IPV6": "2001:db8:1::ffff:fffe"}
    assert nameserver["cap_add"] == main["cap_add"]
    assert set(nameserver["networks"]) == {name}
    assert layout.nameserver_addresses(system)[-1] == "2001:db8:1::ffff:fffe"
    unserved = system.model_copy(update={"dns": "elsewhere"})
    assert set(json.loads(composition.compose_override(unserved, guarded=False))["services"]) == {"main"}
    elsewhere = system.model_copy(update={"main_node": "node2"})
    assert "networks" not in json.loads(composition.compose_override(elsewhere, guarded=False) or "{}")
    assert layout.main_ipv6(elsewhere) == ""


def test_every_variable_of_the_compose_file_has_a_value():
    system = SYSTEM.model_copy(update={"port_base": 20000})
    images = {service: f"mailpod/{service}:1" for service in ("main", "dns", "antivirus")}
    values = composition.main_environment(system, "/state", images, "ns1. hostmaster. 1 2 3 4 5", "")
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    # The first two are Compose's own, the third a stack's.
    assert used == set(values) - {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "MAILPOD_ENCRYPTED"}
    assert values["COMPOSE_PROJECT_NAME"] == "mailpod"
    assert values["MAILPOD_INSTANCE"] == "mailpod"
    assert values["MAILPOD_DOMAIN"] == "example.org"
    assert values["MAILPOD_STATE"] == "/state"
    assert values["MAILPOD_MAIN_IMAGE"] == "mailpod/main:1"
    for service, port in PORTS.items():
        assert values[f"MAILPOD_PORT_{service.upper()}"] == str(20000 + port)
