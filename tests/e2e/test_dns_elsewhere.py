"""A zone that others serve, of which mailpod keeps what is its own up to date."""

from collections.abc import Iterator

import dns.exception
import pytest
from tests.e2e.support.acme import Acme
from tests.e2e.support.mail import smtp
from tests.e2e.support.powerdns import PORT, PowerDns
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until
from tests.e2e.support.zone import BIND, ask

pytestmark = pytest.mark.once

KEY = 'key "mailpod" { algorithm hmac-sha256; secret "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="; };'
BIND_ZONE = 'zone "DOMAIN" { type primary; file "DOMAIN.zone"; allow-update { key mailpod; }; };'
ZONE = """$TTL 300
@ SOA ns hostmaster 1 3600 600 1209600 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.80
@ TXT "some-verification=1"
@ TXT "v=spf1 -all"
"""


@pytest.fixture(scope="module")
def elsewhere(system: System, alice: Account) -> Iterator[System]:
    """The system without a name server of its own."""
    refused = system.cli.run("dns", "publish", "--provider", "powerdns", "--credentials", "/dev/null")
    assert refused.code == 2
    assert "--dns elsewhere" in refused.err
    system.cli.ok("up", system.domain, "--dns", "elsewhere")
    system.world.attach(system.main)
    yield system
    system.cli.ok("up", system.domain, "--dns", "built-in", "--acme-email", "none")
    system.world.attach(system.main)
    assert system.served(alice.fqdn, "AAAA") == {alice.ipv6}


def test_a_name_server_takes_what_it_is_sent(elsewhere: System, alice: Account) -> None:
    """BIND with a zone of somebody's that has more in it, and a key that may change it (RFC 2136)."""
    domain, world = elsewhere.domain, elsewhere.world
    world.give("/tmp", "named.conf", f"{KEY}{BIND}{BIND_ZONE}".replace("DOMAIN", domain).encode())
    world.give("/tmp", f"{domain}.zone", ZONE.encode())
    assert world.run("named", "-c", "/tmp/named.conf")[0] == 0
    key = elsewhere.folder / "publish.key"
    key.touch(0o600)
    key.write_text(KEY.replace("MTIz", "MTI0"))
    publish = ("dns", "publish", "--server", world.address, "--port", "5353", "--key-file", str(key))

    def there(name: str, kind: str) -> set[str]:
        try:
            return ask(world.address, 5353, name, kind)
        except (OSError, AssertionError, dns.exception.DNSException):
            return set()

    until(lambda: there(f"www.{domain}", "A") == {"192.0.2.80"}, "BIND", 20)
    assert elsewhere.cli.run(*publish).code == 1
    key.write_text(KEY)
    shown = elsewhere.cli.ok(*publish, "--dry-run").out.splitlines()
    assert f"+ {alice.fqdn}. 300 IN AAAA {alice.ipv6}" in shown
    assert f'- {domain}. 300 IN TXT "v=spf1 -all"' in shown
    assert there(alice.fqdn, "AAAA") == set()
    elsewhere.cli.ok(*publish)
    assert there(alice.fqdn, "AAAA") == {alice.ipv6}
    assert there(domain, "TXT") == {'"some-verification=1"', f'"v=spf1 a:mail.{domain} -all"'}
    assert there(f"www.{domain}", "A") == {"192.0.2.80"}
    assert {one.labels.get("mailpod.role") for one in elsewhere.engine.containers()} == {None, "main", "account"}
    world.run("pkill", "named")


def test_without_a_way_into_the_zone_mains_names_are_shown_to_be_ours_on_its_web_server(
    elsewhere: System, alice: Account, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """HTTP-01 (RFC 8555 section 8.3), for names that lead to main. An account's does not, and it is told."""
    domain, world = elsewhere.domain, elsewhere.world
    acme = Acme(world, tmp_path_factory.mktemp("acme"))
    six = elsewhere.cli.ok("status", "--json").json()["main"]["ipv6"]
    names = [f"mail.{domain}", f"smtp.{domain}"]
    world.serve(*((f"{name}.", f"AAAA {six}") for name in names))
    acme.start("127.0.0.1:53")
    asked = ("--acme-server", acme.url, "--acme-ca", str(acme.authority), "--public-ipv4", world.main_address)
    elsewhere.cli.ok("up", domain, "--acme-email", f"ops@{domain}", *asked)
    [made] = elsewhere.cli.ok("certificate", "renew", "main", "--json").json()
    assert (made["state"], set(made["names"])) == ("valid", set(names))
    assert "leads to another web server" in elsewhere.cli.run("certificate", "renew", alice.name).err
    with smtp(f"smtp.{domain}", elsewhere.port(465), acme.tls, tls="implicit") as session:
        session.login(alice.name, alice.password)
    elsewhere.cli.ok("up", domain, "--acme-email", "none", "--public-ipv4", elsewhere.address)
    acme.stop()
    world.serve()


def test_a_provider_is_kept_up_to_date_and_shows_that_names_are_ours(
    elsewhere: System, alice: Account, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """PowerDNS through its API; an ACME server that asks it and nobody else."""
    domain = elsewhere.domain
    provider, acme = PowerDns(elsewhere.world), Acme(elsewhere.world, tmp_path_factory.mktemp("acme"))
    provider.start(domain)
    credentials = elsewhere.folder / "provider.toml"
    credentials.write_text(provider.credentials)
    credentials.chmod(0o600)
    elsewhere.cli.ok("dns", "publish", "--provider", "powerdns", "--credentials", str(credentials), "--keep")
    records = elsewhere.cli.ok("dns", "show", "--json").json()["records"]
    assert [one for one in records if one["data"] not in provider.served(one["name"], one["type"])] == []
    acme.start(f"127.0.0.1:{PORT}")
    asked = ("--acme-server", acme.url, "--acme-ca", str(acme.authority))
    elsewhere.cli.ok("up", domain, "--acme-email", f"ops@{domain}", *asked)
    made = elsewhere.create("erin")
    assert provider.served(made.fqdn, "AAAA") == {made.ipv6}
    listed = {one["name"]: one for one in elsewhere.cli.ok("certificate", "list", "--json").json()}
    assert [listed[name]["state"] for name in ("main", "alice", "erin")] == ["valid"] * 3
    assert provider.served(f"_acme-challenge.{made.fqdn}", "TXT") == set()
    elsewhere.cli.ok("account", "delete", "erin", "--purge", "--yes")
    assert provider.served(made.fqdn, "AAAA") == set()
    assert provider.served(f"www.{domain}", "A") == {"192.0.2.80"}
    acme.stop()
    provider.stop()
    # What cannot be published is told, and signs nothing.
    rotated = elsewhere.cli.ok("dkim", "rotate", "alice", "--json").json()
    assert [one["signs"] for one in rotated[:4]] == [False, False, True, True]
    tended = elsewhere.cli.ok("status", "--json").json()["tended"]
    assert "powerdns could not be told" in tended["chores"]["dns"]["problem"]
