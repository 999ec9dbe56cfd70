"""The Compose file in the words of a stack."""

from pathlib import Path

import yaml

from mailpod.engine.stack import merged, translated, with_named_secrets
from mailpod.services.images import SOURCES

# What `docker stack deploy` knows of a service (compose-spec's older form, version 3.9), as far as ours says any of it.
KNOWN = {
    *("cap_add", "cap_drop", "deploy", "dns", "environment", "healthcheck", "hostname", "image", "labels", "logging"),
    *("networks", "ports", "read_only", "secrets", "stop_grace_period", "volumes"),
}


def ours(**options):
    document = yaml.safe_load(Path(SOURCES / "compose.yaml").read_text())
    return translated(document, "node1", {"main": {"more": "one"}}, **options)


def test_nothing_is_left_that_a_stack_does_not_know():
    result = ours()
    assert set(result["services"]["main"]) <= KNOWN
    assert result["version"] == "3.9"
    assert result["networks"]["mail"]["ipam"] == {"config": [{"subnet": "${MAILPOD_IPV4_SUBNET:?}"}]}
    assert result["networks"]["mail"]["driver"] == "overlay"


def test_ports_are_the_machines_own():
    ports = ours()["services"]["main"]["ports"]
    assert {"target": 25, "published": "${MAILPOD_PORT_SMTP:-25}", "protocol": "tcp", "mode": "host"} in ports
    assert {one["mode"] for one in ports} == {"host"}


def test_what_is_told_beside_it_adds_to_it_and_takes_no_port_away():
    document = yaml.safe_load(Path(SOURCES / "compose.yaml").read_text())
    told = {"services": {"dns": {"cap_add": ["NET_ADMIN"], "environment": {"MORE": "one"}, "networks": {"own": {}}}}}
    both = merged(document, told)["services"]
    assert both["dns"]["ports"] == document["services"]["dns"]["ports"]
    assert both["dns"]["cap_add"] == [*document["services"]["dns"]["cap_add"], "NET_ADMIN"]
    assert set(both["dns"]["environment"]) > {"MORE", "MAILPOD_DOMAIN"}
    assert set(both["dns"]["networks"]) == {"mail", "own"}
    assert both["main"] == document["services"]["main"]


def test_it_stays_where_its_volume_is_and_is_found_by_its_labels():
    deploy = ours()["services"]["main"]["deploy"]
    assert deploy["placement"] == {"constraints": ["node.hostname == node1"]}
    assert deploy["endpoint_mode"] == "dnsrr"
    assert deploy["labels"]["mailpod.role"] == "main"
    assert deploy["labels"]["more"] == "one"
    assert deploy["resources"] == {"limits": {"pids": 1024}}


def test_scratch_space_keeps_its_size():
    volumes = ours()["services"]["main"]["volumes"]
    assert {"type": "tmpfs", "target": "/run", "tmpfs": {"size": 16 << 20}} in volumes


def test_its_network_is_encrypted_where_that_is_asked_for():
    assert "driver_opts" not in ours()["networks"]["mail"]
    assert ours(encrypted=True)["networks"]["mail"]["driver_opts"] == {"encrypted": "true"}


def test_what_is_for_a_profile_is_there_with_it_alone():
    assert set(ours()["services"]) == {"main"}
    assert set(ours(profiles=["dns", "antivirus"])["services"]) == {"main", "dns", "antivirus"}
    assert set(ours(profiles=["antivirus"])["services"]["antivirus"]) <= KNOWN


def test_a_secret_with_another_content_is_another_secret(tmp_path):
    """A Swarm's are never changed."""
    path = tmp_path / "secrets/main"
    path.mkdir(parents=True)
    environment = {"MAILPOD_STATE": str(tmp_path), "MAILPOD_INSTANCE": "mailpod"}
    names = []
    for content in ("one", "one", "two"):
        for file in ("ssh_host_key", "operator_keys", "dns_keys"):
            (path / file).write_text(content)
        secrets = with_named_secrets(ours(), environment)["secrets"]
        names.append(secrets["operator_keys"]["name"])
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("mailpod_operator_keys_") for name in names)


def test_a_network_that_is_not_the_stacks_own_stays_what_it_is():
    local = {"external": True, "name": "mailpod-ipv6-1"}
    assert translated({"networks": {"local": local}}, "node1", {})["networks"] == {"local": local}
