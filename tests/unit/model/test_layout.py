import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.model.samples import ROUTED, SYSTEM

from mailpod.model import layout
from mailpod.model.identity import Identity
from mailpod.model.passwords import Hashes
from mailpod.model.records import Account
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, Network
from mailpod.model.state_copy import account_record
from mailpod.model.tables import quota_token

ROOT = Path(__file__).resolve().parents[3]
ALICE = Account(
    id="0a1b", name="alice", created=datetime(2024, 1, 1, tzinfo=UTC), ssh_keys=("ssh-ed25519 A a", "ssh-ed25519 B")
)
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
        Network("mailpod", ("172.20.0.0/21", "2001:db8::/80"), routed=True, instance="mailpod"),
        Network("mailpod-net1", ("172.20.8.0/21", "2001:db8:0:0:1::/80"), routed=True, instance="mailpod"),
    ]


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
        "etc/ssh/user_keys": b"ssh-ed25519 A a\nssh-ed25519 B\n",
        "etc/tls/key.pem": b"TLS KEY",
        "etc/tls/cert.pem": b"CERT",
        "etc/tls/ca.pem": b"CA",
        "etc/tls/shown.pem": b"SHOWN",
        "etc/relay/sasl_passwd": b"[main.mailpod.internal]:10025 alice:S\n",
        "etc/relay/main_key": b"AA:BB main\n",
        "etc/relay/send_as": b"team@example.org\n",
        "etc/quota": f"0 {quota_token('S')}\n".encode(),
        "etc/record.json": account_record(ALICE).encode(),
    }
    assert {path for path, file in files.items() if file.mode == 0o600} == {
        "etc/ssh/ssh_host_ed25519_key",
        "etc/tls/key.pem",
        "etc/tls/shown.pem",
        "etc/relay/sasl_passwd",
        "etc/quota",
        "etc/record.json",
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
