import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailpod.model import layout
from mailpod.model.identity import Identity
from mailpod.model.passwords import Hashes
from mailpod.model.records import PORTS, Account, System
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, Network
from mailpod.model.tables import quota_token

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = System(
    domain="example.org",
    instance="mailpod",
    ipv6_subnet="2001:db8::/64",
    networks=("172.20.0.0/21", "172.20.8.0/21"),
    resolver="192.0.2.53",
)
ROUTED = SYSTEM.model_copy(update={"ipv6_routed": True})
ALICE = Account(id="0a1b", name="alice", created=datetime(2024, 1, 1, tzinfo=UTC), ssh_keys=("ssh-ed25519 A a", "k2"))
IDENTITY = Identity(
    ssh_host_key="HOST KEY",
    ssh_host_public="ssh-ed25519 H",
    tls_key="TLS KEY",
    tls_certificate="CERT",
    relay_secret="S",
)


def test_names_on_the_engine():
    assert layout.main_container("mailpod") == "mailpod-main"
    assert layout.account_container("mailpod", "alice") == "mailpod-alice"
    assert layout.account_volume("mailpod", ALICE) == "mailpod-alice-0a1b"


def test_names_in_certificates():
    assert layout.account_names(SYSTEM, ALICE) == ("alice.example.org", "alice.mailpod.internal")
    assert layout.main_names(SYSTEM) == (
        "example.org",
        "mail.example.org",
        "webmail.example.org",
        "imap.example.org",
        "smtp.example.org",
        "autoconfig.example.org",
        "autodiscover.example.org",
        "mta-sts.example.org",
        "main.mailpod.internal",
    )


def test_the_container_of_an_account():
    spec = layout.account_spec(SYSTEM, ALICE, "image:1")
    assert (spec.name, spec.image, spec.volume) == ("mailpod-alice", "image:1", "mailpod-alice-0a1b")
    assert (spec.hostname, spec.network, spec.dns) == ("alice.example.org", "mailpod", "192.0.2.53")
    assert spec.mount == "/data"
    assert (spec.memory, spec.cpus, spec.pids) == (ALICE.memory, ALICE.cpus, ALICE.processes)
    assert spec.disk == 0, "without a quota the volume has no limit"
    assert spec.ipv6 == "2001:db8::a1b"
    assert spec.environment == {
        "MAILPOD_FQDN": "alice.example.org",
        "MAILPOD_DOMAIN": "example.org",
        "MAILPOD_MAIN": "172.20.0.2 2001:db8::2",
        "MAILPOD_PREFIX": "2001:db8::/64",
        "MAILPOD_INTERNET": "all",
        "MAILPOD_CONNECTIONS": "60",
    }
    assert spec.labels == {
        LABEL_INSTANCE: "mailpod",
        LABEL_ROLE: "account",
        LABEL_ACCOUNT: "alice",
        LABEL_ID: "0a1b",
    }


def test_an_account_on_another_network_finds_main_there():
    spec = layout.account_spec(SYSTEM, ALICE.model_copy(update={"network": 1}), "image:1")
    assert spec.network == "mailpod-net1"
    assert spec.ipv6 == "2001:db8::1:0:0:a1b"
    assert spec.environment["MAILPOD_MAIN"] == "172.20.8.2 2001:db8::1:0:0:2"


@pytest.mark.parametrize(
    ("system", "guarded", "ports"),
    [
        (SYSTEM, False, ()),
        (SYSTEM, True, ()),
        (ROUTED, False, ()),
        # Docker Engine 27 and later: nothing gets through to a container that did not publish it.
        (ROUTED, True, (22, 465, 587, 993)),
    ],
)
def test_the_ports_that_the_engine_has_to_open(system, guarded, ports):
    assert layout.account_spec(system, ALICE, "image:1", guarded=guarded).open_ports == ports


def test_the_networks_of_a_system():
    assert layout.desired_networks(ROUTED) == [
        Network("mailpod", ("172.20.0.0/21", "2001:db8::/80"), routed=True),
        Network("mailpod-net1", ("172.20.8.0/21", "2001:db8:0:0:1::/80"), routed=True),
    ]


def test_compose_is_told_no_more_than_is_needed():
    plain = SYSTEM.model_copy(update={"networks": SYSTEM.networks[:1], "resolver": ""})
    assert layout.compose_override(plain, guarded=False) == ""
    assert layout.compose_override(plain, guarded=True) == ""
    asked = plain.model_copy(update={"resolver": "192.0.2.53"})
    assert json.loads(layout.compose_override(asked, guarded=True)) == {"services": {"main": {"dns": ["192.0.2.53"]}}}


def test_main_does_not_wait_for_a_resolver_that_nobody_is():
    nobody = SYSTEM.model_copy(update={"networks": SYSTEM.networks[:1], "resolver": "127.0.0.1"})
    main = json.loads(layout.compose_override(nobody, guarded=False))["services"]["main"]
    assert main["dns_opt"] == ["timeout:1", "attempts:1"]


def test_main_is_on_every_network():
    told = json.loads(layout.compose_override(ROUTED, guarded=False))
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
    main = json.loads(layout.compose_override(ROUTED, guarded=True))["services"]["main"]
    assert {port["target"] for port in main["ports"]} == {*PORTS.values(), 22}
    assert {port["host_ip"] for port in main["ports"]} == {"::"}
    assert not any("published" in port for port in main["ports"])
    assert "ports" not in json.loads(layout.compose_override(SYSTEM, guarded=True))["services"]["main"]


def test_a_host_name_longer_than_the_kernel_takes_is_cut_to_its_label():
    long = ALICE.model_copy(update={"name": "a" * 63})
    assert layout.account_spec(SYSTEM, long, "i").hostname == "a" * 63
    fits = ALICE.model_copy(update={"name": "a" * (64 - len(".example.org"))})
    assert len(layout.account_spec(SYSTEM, fits, "i").hostname) == 64


def test_two_accounts_of_one_name_share_no_volume():
    again = ALICE.model_copy(update={"id": "2c3d"})
    assert layout.account_volume("mailpod", again) != layout.account_volume("mailpod", ALICE)
    assert layout.account_spec(SYSTEM, again, "i").digest() != layout.account_spec(SYSTEM, ALICE, "i").digest()


def test_the_files_of_an_account():
    files = {
        f.path: f
        for f in layout.account_files(ALICE, IDENTITY, "SHOWN", "CA", "ssh-ed25519 OP", "AA:BB", ["team@example.org"])
    }
    assert {path: file.content for path, file in files.items()} == {
        "etc/ssh/ssh_host_ed25519_key": b"HOST KEY",
        "etc/ssh/ssh_host_ed25519_key.pub": b"ssh-ed25519 H\n",
        "etc/ssh/operator_keys": b"ssh-ed25519 OP\n",
        "etc/ssh/user_keys": b"ssh-ed25519 A a\nk2\n",
        "etc/tls/key.pem": b"TLS KEY",
        "etc/tls/cert.pem": b"CERT",
        "etc/tls/ca.pem": b"CA",
        "etc/tls/shown.pem": b"SHOWN",
        "etc/relay/sasl_passwd": b"[main.mailpod.internal]:10025 alice:S\n",
        "etc/relay/main_key": b"AA:BB main\n",
        "etc/relay/send_as": b"team@example.org\n",
        "etc/quota": f"0 {quota_token('S')}\n".encode(),
    }
    assert {path for path, file in files.items() if file.mode == 0o600} == {
        "etc/ssh/ssh_host_ed25519_key",
        "etc/tls/key.pem",
        "etc/tls/shown.pem",
        "etc/relay/sasl_passwd",
        "etc/quota",
    }
    assert all(file.owner == 0 and file.mode in {0o600, 0o644} for file in files.values())


def test_nothing_secret_is_in_what_the_engine_is_told():
    told = json.dumps(layout.account_spec(SYSTEM, ALICE, "image:1").__dict__, default=str)
    assert not any(secret in told for secret in ("HOST KEY", "TLS KEY", "ssh-ed25519"))
    assert "KEY" not in repr(IDENTITY)
    assert "relay_secret" not in repr(IDENTITY)


def test_the_keys_of_an_element_are_its_own_to_read():
    files = {f.path: f for f in layout.tls_files(IDENTITY, "SHOWN", "CA")}
    assert sorted(files) == ["etc/tls/ca.pem", "etc/tls/cert.pem", "etc/tls/key.pem", "etc/tls/shown.pem"]
    assert {files["etc/tls/key.pem"].mode, files["etc/tls/shown.pem"].mode} == {0o600}


def test_the_tables_of_main():
    files = {f.path: f for f in layout.table_files({"postfix/aliases": "a b\n", "ssh/jump_keys": ""})}
    assert sorted(files) == ["etc/tables/postfix/aliases", "etc/tables/ssh/jump_keys"]
    assert files["etc/tables/postfix/aliases"].content == b"a b\n"


def test_a_password_travels_hashed_and_is_not_shown():
    file = layout.password_file(Hashes("$y$hash", "$argon2id$hash"))
    assert (file.path, file.content, file.mode) == ("etc/password", b"$y$hash\n$argon2id$hash\n", 0o600)
    assert "hash" not in repr(file)


def test_every_variable_of_the_compose_file_has_a_value():
    system = SYSTEM.model_copy(update={"port_base": 20000})
    values = layout.main_environment(system, "/state", "mailpod/main:1", "mailpod/dns:1", "ns1. hostmaster. 1 2 3 4 5")
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
