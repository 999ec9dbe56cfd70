"""Each machine of a Swarm has an IPv6 prefix of its own, and its accounts have addresses of it for good."""

import imaplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.swarm import SwarmSystem
from tests.e2e.support.system import Account
from tests.e2e.support.wait import until
from tests.e2e.support.zone import ask

CAP_NET_ADMIN = 12
"""Its bit among capabilities (linux/capability.h)."""


@pytest.fixture(scope="module")
def rita(swarm: SwarmSystem) -> Iterator[Account]:
    """An account on the second machine, which has a prefix."""
    account = swarm.create("rita", "--node", "node2")
    swarm.cli.ok("node", "set", "node2", "--ipv6-prefix", swarm.cluster.nodes[1].prefix)
    yield account
    swarm.cli.ok("account", "delete", account.name, "--purge", "--yes")
    swarm.cli.ok("node", "set", "node2", "--ipv6-prefix", "none")


def logs_in(swarm: SwarmSystem, account: Account, address: str) -> bool:
    """Whether its owner opens the mailbox at the account itself, which proves its name."""

    class Direct(imaplib.IMAP4_SSL):
        def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
            connection = socket.create_connection((address, 993), timeout)
            return swarm.tls.wrap_socket(connection, server_hostname=account.fqdn)

    with Direct(account.fqdn, timeout=10) as session:
        return session.login(account.name, account.password)[0] == "OK"


def test_an_account_is_reached_directly_at_an_address_of_its_machine(swarm: SwarmSystem, rita: Account) -> None:
    address = swarm.shown(rita)["ipv6"]
    assert ip_address(address) in ip_network(swarm.cluster.nodes[1].prefix)
    assert logs_in(swarm, rita, address)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 25), timeout=5)


def test_what_leaves_comes_from_that_address(swarm: SwarmSystem, rita: Account) -> None:
    machine = str(swarm.cluster.network6[0xFFFF])
    code, route = execute(swarm.container(rita), "ip", "-6", "route", "get", machine)
    assert code == 0
    assert f"src {swarm.shown(rita)['ipv6']}" in route


def test_it_stays_when_the_container_is_made_anew(swarm: SwarmSystem, rita: Account) -> None:
    """Nobody but the Swarm had a hand in it."""
    address, before = swarm.shown(rita)["ipv6"], swarm.container(rita).id
    swarm.container(rita).kill()
    until(lambda: [one.id for _, one in swarm.containers(rita)] not in ([], [before]), "a new container", 30)
    assert swarm.shown(rita)["ipv6"] == address
    until(lambda: swarm.reaches(rita), "main to find it", 30)
    assert logs_in(swarm, rita, address)


def test_after_a_move_it_is_of_the_other_machines_prefix(swarm: SwarmSystem, rita: Account) -> None:
    before, other = swarm.shown(rita)["ipv6"], swarm.cluster.nodes[2]
    swarm.cli.ok("node", "set", other.hostname, "--ipv6-prefix", other.prefix)
    swarm.cli.ok("account", "move", rita.name, "--node", other.hostname)
    address = swarm.shown(rita)["ipv6"]
    assert ip_address(address) in ip_network(other.prefix)
    assert swarm.served(rita.fqdn, "AAAA") == {address}
    assert logs_in(swarm, rita, address)
    swarm.cli.ok("account", "move", rita.name, "--node", "node2")
    assert swarm.shown(rita)["ipv6"] == before
    assert logs_in(swarm, rita, before)
    swarm.cli.ok("node", "set", other.hostname, "--ipv6-prefix", "none")


def test_main_and_the_name_server_have_addresses_of_their_machine_too(swarm: SwarmSystem, rita: Account) -> None:
    """By which main knows clients by theirs."""
    first = swarm.cluster.nodes[0]
    swarm.cli.ok("node", "set", first.hostname, "--ipv6-prefix", first.prefix)
    swarm.wait_until_up()
    [address] = swarm.served(f"mail.{swarm.domain}", "AAAA")
    assert ip_address(address) in ip_network(first.prefix)
    for host, prefix in ((address, "IPv6:"), (swarm.address, "")):
        word = token()
        with smtplib.SMTP(host, 25, timeout=20) as session:
            client = session.sock.getsockname()[0]
            message = compose("someone@outside.test", rita.short_address, word)
            session.send_message(message, "someone@outside.test", [rita.short_address])
        assert f"[{prefix}{client}]" in str(swarm.wait_for(rita, word).get_all("Received"))
    [names] = swarm.served(f"ns1.{swarm.domain}", "AAAA")
    assert ip_address(names) in ip_network(first.prefix)
    for tcp in (False, True):
        assert ask(names, 53, f"mail.{swarm.domain}", "AAAA", tcp=tcp) == {address}
    # They could take no other address any more.
    for container in (swarm.main, swarm.nameserver):
        bounding = execute(container, "grep", "CapBnd", "/proc/1/status")[1].split()[1]
        assert not int(bounding, 16) & (1 << CAP_NET_ADMIN)
    swarm.cli.ok("node", "set", first.hostname, "--ipv6-prefix", "none")
    swarm.wait_until_up()
