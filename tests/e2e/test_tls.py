"""Every port that speaks TLS with clients, by testssl.sh: no old protocol, no weak cipher, forward secrecy."""

import json

import pytest
from tests.e2e.support.system import Account, System
from tests.e2e.support.world import IMAGE

STARTTLS = {143: "imap", 587: "smtp", 4190: "sieve"}
PROTOCOLS = {"SSLv2": False, "SSLv3": False, "TLS1": False, "TLS1_1": False, "TLS1_2": True, "TLS1_3": True}


def command(host: str, address: str, port: int) -> tuple[str, ...]:
    """What looks at protocols, classes of ciphers and forward secrecy, and writes what it finds as JSON."""
    program = (
        *("testssl.sh", "--quiet", "--nodns", "none", "--ip", address, "--protocols", "--std", "--fs"),
        *(("--starttls", STARTTLS[port]) if port in STARTTLS else ()),
        *("--jsonfile", "/tmp/found.json", "--overwrite", f"{host}:{port}"),
    )
    return "sh", "-c", '"$@" >/tmp/told 2>&1; cat /tmp/found.json || cat /tmp/told', "sh", *program


def check(output: str) -> None:
    """No finding is bad, and the protocols are those that should be."""
    found = json.loads(output)
    assert [one for one in found if one["severity"] not in {"OK", "INFO"}] == []
    told = {one["id"]: one["finding"] for one in found}
    assert {name: not told[name].startswith("not offered") for name in PROTOCOLS} == PROTOCOLS
    assert told["cipherlist_STRONG_FS"] == "offered"


@pytest.mark.once
@pytest.mark.parametrize("port", [143, 443, 465, 587, 993, 4190])
def test_main_offers_nothing_weak(system: System, port: int) -> None:
    host = "imap" if port in {143, 993, 4190} else "smtp"
    check(system.world.run(*command(f"{host}.{system.domain}", system.world.main_address, port))[1])


@pytest.mark.parametrize("port", [465, 587, 993])
def test_an_account_offers_nothing_weak(system: System, alice: Account, port: int) -> None:
    """From main's place: another address may not connect so often."""
    output = system.engine.client.containers.run(
        IMAGE,
        list(command(alice.fqdn, system.shown(alice)["ipv4"], port)),
        name=f"{system.engine.instance}-testssl",
        network_mode=f"container:{system.main.id}",
        remove=True,
    )
    check(output.decode())
