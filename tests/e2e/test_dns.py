"""The zone that the system serves itself, asked with the tools of others."""

import os
import re
import signal
import threading
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import pytest
from checkdmarc.dmarc import check_dmarc
from checkdmarc.mta_sts import parse_mta_sts_policy, parse_mta_sts_record, query_mta_sts_record
from checkdmarc.smtp_tls_reporting import check_smtp_tls_reporting
from checkdmarc.spf import check_spf
from docker.models.containers import Container
from tests.e2e.support import web
from tests.e2e.support.engine import execute, get_files, put_file
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until
from tests.e2e.support.zone import BIND, ask

pytestmark = pytest.mark.once


SECONDARY = 6
KNOT = """
server:
    listen: 0.0.0.0@53
    rundir: /tmp
    user: root
database:
    storage: /tmp/knot
template:
  - id: default
    storage: /tmp
"""


def serial(system: System) -> int:
    """How often the zone has changed."""
    [soa] = system.served(system.domain, "SOA")
    return int(soa.split()[2])


def name_server(system: System) -> Container:
    """Its container."""
    [found] = [one for one in system.engine.containers() if one.labels.get("mailpod.role") == "dns"]
    return found


@pytest.fixture(scope="module")
def carol(system: System) -> Iterator[Account]:
    """An account that comes and goes."""
    made = system.create("carol")
    yield made
    system.cli.run("account", "delete", "carol", "--purge", "--yes")


@pytest.mark.parametrize("tcp", [False, True])
def test_the_zone_says_where_mail_goes(system: System, alice: Account, tcp: bool) -> None:
    domain = system.domain
    assert system.served(domain, "MX", tcp=tcp) == {f"10 mail.{domain}."}
    assert system.served(alice.fqdn, "MX", tcp=tcp) == {f"10 mail.{domain}."}
    assert system.served(alice.fqdn, "AAAA", tcp=tcp) == {alice.ipv6}
    assert system.served(f"mail.{domain}", "A", tcp=tcp) == {system.address}
    assert system.served(alice.fqdn, "TXT", tcp=tcp) == {f'"v=spf1 a:mail.{domain} -all"'}
    assert system.served(f"_imaps._tcp.{alice.fqdn}", "SRV", tcp=tcp) == {f"0 1 {system.port(993)} imap.{domain}."}
    assert system.served(domain, "NS", tcp=tcp) == {f"ns1.{domain}."}


class Copies(threading.Thread):
    """Fetches the zone again and again, each time as it is at one moment.

    Attributes:
        found: the serials and what there was at a name and below it, one for each time that either was another.
    """

    def __init__(self, system: System, name: str) -> None:
        super().__init__()
        secret = (system.cli.state / "secrets" / "dns_secret").read_text().strip()
        self._keys = dns.tsigkeyring.from_text({"control": ("hmac-sha256", secret)})
        self._where = system.address, system.port(53)
        self._domain, self._name = system.domain, dns.name.from_text(name)
        self._done = threading.Event()
        self.found: list[tuple[int, frozenset[str]]] = []

    def run(self) -> None:
        while not self._done.wait(0.02):
            copy = self._fetch()
            if self.found[-1:] != [copy]:
                self.found.append(copy)

    def _fetch(self) -> tuple[int, frozenset[str]]:
        query, _ = dns.xfr.make_query(dns.zone.Zone(self._domain), keyring=self._keys)
        zone = dns.zone.Zone(self._domain, relativize=False)
        address, port = self._where
        dns.query.inbound_xfr(address, zone, query, port, 10)
        there = {
            f"{name} {data.rdtype.name} {data}"
            for name, _, data in zone.iterate_rdatas()
            if name.is_subdomain(self._name) and data.rdtype != dns.rdatatype.RRSIG
        }
        return zone.get_soa().serial, frozenset(there)

    def __enter__(self) -> "Copies":
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._done.set()
        self.join()


def test_an_account_has_come_or_gone_as_a_whole_when_the_command_ends(system: System, carol: Account) -> None:
    """Whoever reads the zone meanwhile sees all of its records or none; each change has a serial of its own."""
    assert system.served(carol.fqdn, "AAAA") == {carol.ipv6}
    before = serial(system)
    with Copies(system, carol.fqdn) as copies:
        until(lambda: copies.found, "a copy of the zone")
        system.cli.ok("account", "delete", "carol", "--yes")
        assert system.served(carol.fqdn, "MX") == set()
        between = serial(system)
        until(lambda: len(copies.found) == 2, "a copy without the account")
        system.cli.ok("account", "undelete", "carol")
        assert system.served(carol.fqdn, "MX") == {f"10 mail.{system.domain}."}
        until(lambda: len(copies.found) == 3, "a copy with the account")
    there = copies.found[0][1]
    assert f"{carol.fqdn}. AAAA {carol.ipv6}" in there
    assert copies.found == [(before, there), (between, frozenset()), (serial(system), there)]
    assert before < between < serial(system)


def test_nothing_changes_where_nothing_has_changed(system: System) -> None:
    before = serial(system)
    system.apply()
    assert serial(system) == before


def test_the_operators_own_records_are_served(system: System, alice: Account) -> None:
    path = system.cli.state / "dns" / "records.zone"
    path.parent.mkdir(exist_ok=True)
    try:
        # The last stands where mailpod has an alias.
        path.write_text('www A 192.0.2.80\n_dmarc TXT "v=DMARC1; p=reject"\nautoconfig.alice A 192.0.2.81\n')
        system.apply()
        assert system.served(f"autoconfig.{alice.fqdn}", "A") == {"192.0.2.81"}
        assert system.served(f"www.{system.domain}", "A") == {"192.0.2.80"}
        assert system.served(f"_dmarc.{system.domain}", "TXT") == {'"v=DMARC1; p=reject"'}
        path.write_text("www A 192.0.2.80.1\n")
        refused = system.cli.run("apply")
        assert refused.code == 2, refused
        assert "records.zone" in refused.err
        assert system.served(f"www.{system.domain}", "A") == {"192.0.2.80"}
    finally:
        path.unlink()
    system.apply()
    assert system.served(f"www.{system.domain}", "A") == set()
    assert system.served(f"autoconfig.{alice.fqdn}", "CNAME") == {f"mail.{system.domain}."}


def test_only_the_control_plane_may_change_or_copy_it(system: System) -> None:
    update = dns.update.UpdateMessage(system.domain)
    update.add("evil", 300, "A", "192.0.2.66")
    answer = dns.query.tcp(update, system.address, 5, system.port(53))
    assert answer.rcode() in {dns.rcode.REFUSED, dns.rcode.NOTAUTH}
    copy = dns.query.tcp(dns.message.make_query(system.domain, "AXFR"), system.address, 5, system.port(53))
    assert copy.rcode() in {dns.rcode.REFUSED, dns.rcode.NOTAUTH}
    foreign = dns.query.udp(dns.message.make_query("outside.test.", "MX"), system.address, 5, system.port(53))
    assert foreign.rcode() == dns.rcode.REFUSED


def test_knots_own_checker_finds_nothing(system: System) -> None:
    [(_, zone)] = get_files(name_server(system), f"/data/zones/{system.domain}")
    system.world.give("/tmp", "zone", zone)
    code, said = system.world.run("kzonecheck", "-v", "-o", system.domain, "/tmp/zone")
    assert code == 0, said
    assert "warning" not in said, said


def test_checkdmarc_finds_nothing_in_what_it_says_of_mail(system: System, alice: Account) -> None:
    """Policies of who may send, what to do with the rest, and what to report."""
    asked = {"nameservers": [system.world.attach_name_server(name_server(system))]}
    for name in (system.domain, f"mail.{system.domain}", alice.fqdn):
        found = check_spf(name, **asked)
        assert found["valid"], found
        assert not found["warnings"], found
        assert found["parsed"]["all"] == "fail"
    for found in (check_dmarc(system.domain, **asked), check_smtp_tls_reporting(system.domain, **asked)):
        assert found["valid"], found
        assert not found["warnings"], found
    sts = query_mta_sts_record(system.domain, **asked)
    assert not sts["warnings"], sts
    assert parse_mta_sts_record(sts["record"])["tags"]["id"]
    policy = web.ask(system, f"https://mta-sts.{system.domain}/.well-known/mta-sts.txt")
    parsed = parse_mta_sts_policy(policy.body)
    assert not parsed["warnings"], parsed
    assert parsed["policy"]["mx"] == [f"mail.{system.domain}"]


def test_bind_validates_it_from_the_delegation(system: System, alice: Account) -> None:
    """Whoever trusts what `dns show` gives for the parent zone trusts every answer, and every denial."""
    shown = system.cli.ok("dns", "show", "--json").json()
    assert len(shown["ds"]) >= 1
    keys = "".join(
        f'{system.domain}. static-ds {number} {algorithm} {kind} "{digest}"; '
        for number, algorithm, kind, digest in map(str.split, shown["ds"])
    )
    system.world.give("/tmp", "anchors", f"trust-anchors {{ {keys} }};\n".encode())
    address = system.world.attach_name_server(name_server(system))
    delv = ("delv", f"@{address}", "-a", "/tmp/anchors", f"+root={system.domain}")
    for name, kind in ((alice.fqdn, "MX"), (f"_25._tcp.mail.{system.domain}", "TLSA")):
        code, said = system.world.run(*delv, name, kind)
        assert code == 0, said
        assert "; fully validated" in said, said
    _, said = system.world.run(*delv, f"nobody.{system.domain}", "MX")
    assert "; negative response, fully validated" in said, said


def test_it_comes_back_as_it_was(system: System, alice: Account) -> None:
    """Killed, it has what it had acknowledged; while it is down accounts are made all the same."""
    server = name_server(system)
    keys = system.served(system.domain, "DNSKEY")
    os.kill(server.attrs["State"]["Pid"], signal.SIGKILL)
    made = system.cli.ok("account", "create", "dora", "--json")
    assert made.json()["status"] == "running"
    until(lambda: answers(system), "the name server", 30)
    system.apply()
    assert system.served(f"dora.{system.domain}", "MX") == {f"10 mail.{system.domain}."}
    assert system.served(alice.fqdn, "AAAA") == {alice.ipv6}
    assert system.served(system.domain, "DNSKEY") == keys
    system.cli.ok("account", "delete", "dora", "--purge", "--yes")


def answers(system: System) -> bool:
    """Whether it does."""
    try:
        return bool(system.served(system.domain, "SOA"))
    except (OSError, AssertionError, dns.exception.DNSException):
        return False


@pytest.fixture
def secondary(system: System) -> Iterator[Container]:
    """A machine elsewhere."""
    made = system.world.neighbour(SECONDARY)
    yield made
    made.remove(force=True)


def test_a_secondary_has_every_change_within_seconds(system: System, carol: Account, secondary: Container) -> None:
    """Knot, and BIND beside it, told what is printed for them and nothing else; who has no key gets nothing."""
    domain, here = system.domain, str(system.world.ipv4_subnet[SECONDARY])
    added = system.cli.ok("dns", "secondary", "add", "ns2.outside.test", here, "--json").json()
    assert system.served(domain, "NS") == {f"ns1.{domain}.", "ns2.outside.test."}
    primary = system.world.attach_name_server(name_server(system))
    knot, bind = added["knot"], added["bind"]
    # From the outside's network it is at another address than those that this test has it published at.
    for one in added["primaries"]:
        knot = re.sub(rf"{one['address']}(@{one['port']})?", primary, knot)
        bind = bind.replace(f"{one['address']} port {one['port']}", primary)
    put_file(secondary, "/tmp", "knot.conf", f"{KNOT}{knot}".encode())
    put_file(secondary, "/tmp", "named.conf", f"{BIND}{bind}".encode())
    assert execute(secondary, "knotd", "-c", "/tmp/knot.conf", "-d") == (0, "")
    assert execute(secondary, "named", "-c", "/tmp/named.conf")[0] == 0

    def there(name: str, kind: str, port: int = 53) -> set[str]:
        try:
            return ask(here, port, name, kind)
        except (OSError, AssertionError, dns.exception.DNSException):
            return set()

    for port in (53, 5353):
        until(lambda port=port: there(carol.fqdn, "AAAA", port) == {carol.ipv6}, "the copy", 20)
    system.cli.ok("account", "delete", "carol", "--yes")
    until(lambda: not there(carol.fqdn, "AAAA") and there(domain, "SOA"), "the copy without the account", 5)
    system.cli.ok("account", "undelete", "carol")
    until(lambda: there(carol.fqdn, "AAAA") == {carol.ipv6}, "the copy with the account", 5)
    assert there(domain, "SOA") == system.served(domain, "SOA")
    assert b"IXFR, outgoing" in name_server(system).logs()
    unsigned = dns.query.tcp(dns.message.make_query(domain, "AXFR"), primary, 5)
    assert unsigned.rcode() in {dns.rcode.REFUSED, dns.rcode.NOTAUTH}
    system.cli.ok("dns", "secondary", "delete", "ns2.outside.test")
    assert system.served(domain, "NS") == {f"ns1.{domain}."}


def test_a_check_from_outside_tells_what_is_right_and_what_is_not(system: System) -> None:
    """The outside's resolver knows some of the zone, and no DS; its mail server is the way out that is tried."""
    checked = system.cli.run("dns", "check", "--resolver", system.world.address, "--reach", "outside.test", "--json")
    assert checked.code == 1
    verdicts = {(one["name"], one["kind"]): one["verdict"] for one in checked.json()}
    assert verdicts[system.domain, "MX"] == "right"
    assert verdicts[system.domain, "DNSSEC"] == "right"
    assert verdicts[system.domain, "DS"] == "missing"
    assert verdicts["outside.test", "25/tcp out"] == "right"
    for port in (25, 465, 587, 993, 80, 443, 53):
        assert verdicts[system.address, f"{system.port(port)}/tcp"] == "right"
    for port in (25, 443):
        assert verdicts[system.address, f"{system.port(port)}/tcp certificate"] == "right"
    silent = system.cli.run(
        "dns", "check", "--resolver", system.world.address, "--reach", "nomail.test", "--json"
    ).json()
    assert {one["verdict"] for one in silent if one["name"] == "nomail.test"} == {"unknown"}


def test_every_record_that_is_shown_is_served(system: System) -> None:
    for one in system.cli.ok("dns", "show", "--json").json()["records"]:
        assert one["data"] in system.served(one["name"], one["type"], tcp=True)
