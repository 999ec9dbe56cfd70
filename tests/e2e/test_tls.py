"""Every port that speaks TLS with clients, by testssl.sh: no old protocol, no weak cipher, forward secrecy."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute
from tests.e2e.support.system import Account, System
from tests.e2e.support.world import IMAGE

STARTTLS = {25: "smtp", 143: "imap", 587: "smtp", 4190: "sieve"}
PROTOCOLS = {"SSLv2": False, "SSLv3": False, "TLS1": False, "TLS1_1": False, "TLS1_2": True, "TLS1_3": True}
BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}


def check(scanner: Container, host: str, address: str, *ports: int) -> None:
    """No finding is bad at any of the ports, and the protocols are those that should be."""

    def output(port: int) -> str:
        program = (
            *("testssl", "--quiet", "--nodns", "none", "--ip", address, "--protocols", "--std"),
            *(("--starttls", STARTTLS[port]) if port in STARTTLS else ()),
            *("--jsonfile", f"/tmp/{port}.json", "--overwrite", f"{host}:{port}"),
        )
        script = f'"$@" >/tmp/{port}.log 2>&1; cat /tmp/{port}.json || cat /tmp/{port}.log'
        return execute(scanner, "sh", "-c", script, "sh", *program)[1]

    # Much of its time it waits for what a server says by itself.
    with ThreadPoolExecutor(3) as pool:
        outputs = dict(zip(ports, pool.map(output, ports), strict=True))
    for port, text in outputs.items():
        found = json.loads(text)
        assert [one for one in found if one["severity"] in BAD] == [], port
        told = {one["id"]: one["finding"] for one in found}
        offered = {name: told[name].startswith("offered") for name in PROTOCOLS}
        assert offered == PROTOCOLS, port
        assert told["cipherlist_STRONG_FS"] == "offered", port
        for weak in ("OBSOLETED", "STRONG_NOFS", "3DES_IDEA"):
            assert told[f"cipherlist_{weak}"] == "not offered", port


def check_shortly(client: Container, address: str, port: int) -> None:
    """A port of the same daemons takes TLS 1.2 with a cipher like theirs, no older protocol and no other cipher."""
    strong = "ECDHE+AESGCM:ECDHE+CHACHA20"
    others = f"ALL:COMPLEMENTOFALL:!{strong.replace(':', ':!')}"
    for offer, taken in (
        (("-tls1_2", "-cipher", strong), True),
        (("-tls1_2", "-cipher", f"{others}:@SECLEVEL=0"), False),
        (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), False),
        (("-tls1", "-cipher", "ALL:@SECLEVEL=0"), False),
    ):
        program = ("openssl", "s_client", "-starttls", STARTTLS[port], "-connect", f"{address}:{port}", *offer)
        said = execute(client, "sh", "-c", 'exec "$@" < /dev/null', "sh", *program)[1]
        # Whoever refuses may just hang up, for which openssl sees no error.
        assert bool(re.search(r"Cipher is [A-Z]", said)) == taken, (port, offer, said)


@pytest.mark.once
def test_main_offers_nothing_weak(system: System) -> None:
    assert system.world.container
    name = f"mail.{system.domain}"
    check(system.world.container, name, system.world.main_address, 25, 143, 443, 465, 587, 993, 4190)


@pytest.fixture
def neighbour(system: System) -> Iterator[Container]:
    """A container with main's addresses: from another one nobody may connect to an account so often."""
    made = system.engine.client.containers.run(
        IMAGE,
        ["sleep", "infinity"],
        name=f"{system.engine.instance}-neighbour",
        network_mode=f"container:{system.main.id}",
        init=True,
        detach=True,
    )
    yield made
    made.remove(force=True)


def test_an_account_offers_nothing_weak(system: System, neighbour: Container, alice: Account) -> None:
    address = system.shown(alice)["ipv4"]
    check(neighbour, alice.fqdn, address, 465, 587, 993)
    for port in (25, 143, 4190) if system.stack == "dovecot" else (25, 143):
        check_shortly(neighbour, address, port)
