"""Every element has an address of its own, and reaches and is reached by no more than it needs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

PUBLIC = {22, 465, 587, 993}
PRIVATE = {25, 143, 4190, 10027}
TRUST = ("--silent", "--show-error", "--cacert", "/etc/ssl/certs/club-ca.pem")

# Prints each port of HOST that takes a connection. Some engines refuse the others at once, some say nothing.
SCAN = """
for port in $(seq 1 1100) 4190 10025 10026 10027; do
    { timeout 1 bash -c "exec 3<>/dev/tcp/$0/$port" 2>/dev/null && echo $port; } &
    [ $((port % 50)) -ne 0 ] || wait
done
wait
"""
QUICK_SCAN = 'for port in "${@:1}"; do timeout 2 bash -c "exec 3<>/dev/tcp/$0/$port" 2>/dev/null && echo $port; done'


def open_ports(container: Container, host: str, *ports: int) -> set[int]:
    """Of `ports`, else of all that matter, those at which `host` answers a container."""
    script = (QUICK_SCAN, host, *map(str, ports)) if ports else (SCAN, host)
    return {int(port) for port in execute(container, "bash", "-c", *script)[1].split()}


def ipv4(container: Container) -> str:
    """A container's address on the system's network."""
    [network] = facts(container)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def at(account: Account, service: str) -> tuple[str, ...]:
    """What lets curl find an account's name at its own address."""
    return ("--resolve", f"{account.fqdn}:{service}:[{account.ipv6}]", "--user", f"{account.name}:{account.password}")


# --- from outside


def test_an_outside_host_reads_mail_at_the_accounts_own_name(system: System, alice: Account) -> None:
    """IMAPS past main, over IPv6, with a certificate for that name."""
    word = system.post(alice.address)
    system.wait_for(alice, word)
    url = f"imaps://{alice.fqdn}/INBOX?SUBJECT%20{word}"
    code, output = system.world.run("curl", *TRUST, *at(alice, "993"), url)
    assert code == 0, output
    assert output.strip().split()[-1].isdigit()
    container, caller = system.engine.account(alice.name), str(system.world.ipv6_subnet[2])
    until(lambda: caller in container.logs(tail=100).decode(), "who called, in the account's log")


def test_an_outside_host_submits_at_the_accounts_own_name(system: System, alice: Account) -> None:
    word = token()
    system.world.give("/tmp", word, f"From: {alice.short_address}\r\nSubject: {word}\r\n\r\nHello.\r\n".encode())
    code, output = system.world.run(
        *("curl", *TRUST, *at(alice, "465"), f"smtps://{alice.fqdn}/outside.test", "--upload-file", f"/tmp/{word}"),
        *("--mail-from", alice.short_address, "--mail-rcpt", "erin@outside.test"),
    )
    assert code == 0, output
    assert system.world.wait_for(word)["Return-Path"] == f"<{alice.short_address}>"


def test_from_outside_an_account_has_four_open_ports(system: System, alice: Account) -> None:
    """Port 25 answers main alone, and so does all that is between main and the account."""
    assert system.world.container
    outside = system.world.container
    assert open_ports(outside, alice.ipv6) <= PUBLIC
    until(lambda: open_ports(outside, alice.ipv6, *PUBLIC) == PUBLIC, "the four open ports")
    code, banner = system.world.run("bash", "-c", f"read -r line </dev/tcp/{alice.ipv6}/22; echo $line")
    assert (code, banner[:8]) == (0, "SSH-2.0-")
    assert open_ports(system.main, alice.ipv6, *PUBLIC, *PRIVATE) >= PUBLIC | {25, 143}


@pytest.mark.once
def test_main_has_a_routed_address_of_its_own_and_sees_who_calls(system: System, alice: Account) -> None:
    """Nothing stands between an IPv6 client and main that would hide its address: not in headers, nor in logs."""
    address = system.cli.ok("status", "--json").json()["main"]["ipv6"]
    client = str(system.world.ipv6_subnet[2])
    word = token()
    code, output = system.world.run(
        *("swaks", "--server", address, "--port", "25", "--from", "x@outside.test", "--to", alice.address),
        *("--header", f"Subject: {word}"),
    )
    assert code == 0, output
    assert f"[IPv6:{client}]" in str(system.wait_for(alice, word).get_all("Received"))
    name = f"imap.{system.domain}"
    reached = ("--resolve", f"{name}:993:[{address}]", "--user", f"{alice.name}:{alice.password}")
    code, output = system.world.run("curl", *TRUST, *reached, f"imaps://{name}/")
    assert code == 0, output
    for seen in (rf"client=unknown\[{client}\]", rf"rip={client},"):
        until(lambda seen=seen: re.search(seen, system.main.logs(tail=300).decode()), f"{seen} in main's log")  # type: ignore[misc]


# --- between accounts


def test_an_account_reaches_main_and_no_other_account(system: System, alice: Account, bob: Account) -> None:
    """A port scan from inside bob's container, as its root, of both of alice's addresses."""
    bobs, alices = system.engine.account(bob.name), system.engine.account(alice.name)
    assert open_ports(bobs, alice.ipv6) == set()
    assert open_ports(bobs, ipv4(alices), *PUBLIC, *PRIVATE) == set()
    assert open_ports(bobs, "main.mailpod.internal", 25, 143, 10025) == {25, 143, 10025}


def test_whoever_else_is_on_the_network_finds_no_private_port_open(system: System, alice: Account) -> None:
    """The account guards itself: a container without any filter of its own finds what everyone outside finds."""
    client = system.engine.client
    spy = client.containers.create(
        system.main.attrs["Config"]["Image"], ["600"], entrypoint="sleep", name=f"{system.engine.instance}-spy"
    )
    client.networks.get(system.engine.instance).connect(spy)
    spy.start()
    try:
        alices = system.engine.account(alice.name)
        for address in (alice.ipv6, ipv4(alices)):
            assert open_ports(spy, address, *PUBLIC, *PRIVATE) == PUBLIC
    finally:
        spy.remove(force=True, v=True)


def test_not_even_root_in_an_account_can_change_its_packet_filter(system: System, alice: Account) -> None:
    """No process there has, nor can get, the right to."""
    rights = 1 << 12 | 1 << 8  # CAP_NET_ADMIN, CAP_SETPCAP (capabilities(7))
    container = system.engine.account(alice.name)
    script = "for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || grep -h CapBnd $p/status; done 2>/dev/null"
    bounds = [int(line.split()[1], 16) for line in execute(container, "sh", "-c", script)[1].splitlines()]
    # What "docker exec" starts has them, the shell's own grep among it.
    inside = [bound for bound in bounds if not bound & rights]
    assert len(inside) > 8
    first = execute(container, "grep", "CapBnd", "/proc/1/status")[1]
    assert not int(first.split()[1], 16) & rights


@contextmanager
def service(system: System, port: int) -> Iterator[None]:
    """Something on the outside's machine that takes connections."""
    assert system.world.container
    listen = (
        f"use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => '::', LocalPort => {port}, Listen => 5) or die;"
    )
    script = f"perl -e '{listen} while (my $c = $s->accept) {{ close $c }}' & echo $!"
    pid = system.world.run("bash", "-c", f"({script}) 2>/dev/null </dev/null >/tmp/pid; cat /tmp/pid")[1].strip()
    try:
        until(lambda: open_ports(system.world.container, "::1", port), "the outside's service")  # type: ignore[arg-type]
        yield
    finally:
        with suppress(AssertionError):
            system.world.run("kill", pid)


@pytest.mark.once
def test_an_account_reaches_as_much_of_the_internet_as_it_may(system: System, bob: Account) -> None:
    """Mail goes through main whatever it may; `mail` is nothing else, and `none` not even mail."""
    outside = str(system.world.ipv6_subnet[2])
    # 53 and not only 8080: names are not a way out either.
    with service(system, 8080):
        reached = {"all": {53, 8080}, "mail": set[int](), "none": set[int]()}
        for internet, ports in reached.items():
            system.cli.ok("account", "set", bob.name, "--internet", internet)
            assert open_ports(system.engine.account(bob.name), outside, 25, 53, 8080) == ports
            assert system.reaches(bob)
    system.cli.ok("account", "set", bob.name, "--internet", "all")


# --- addresses stay


@pytest.mark.once
def test_an_account_made_anew_has_its_address_and_is_reached_within_a_second(undamaged: System, bob: Account) -> None:
    """Even when somebody has got its private address meanwhile: nothing remembers that one."""
    system = undamaged
    container = system.engine.account(bob.name)
    before = ipv4(container)
    container.remove(force=True)
    client = system.engine.client
    thief = client.containers.create(
        system.main.attrs["Config"]["Image"], ["600"], entrypoint="sleep", name=f"{system.engine.instance}-thief"
    )
    client.networks.get(system.engine.instance).connect(thief, ipv4_address=before)
    thief.start()
    try:
        system.cli.ok("apply")
        assert ipv4(system.engine.account(bob.name)) != before
        assert system.shown(bob)["ipv6"] == bob.ipv6
        assert (
            facts(system.engine.account(bob.name))["NetworkSettings"]["Networks"][system.engine.instance][
                "GlobalIPv6Address"
            ]
            == bob.ipv6
        )
        word = system.post(bob.address)
        # Who still knew the old address would wait for more than seven.
        until(lambda: system.reaches(bob), "a login through main", 4)
        system.wait_for(bob, word, seconds=4)
    finally:
        thief.remove(force=True, v=True)


@pytest.mark.once
def test_an_account_on_a_second_network_is_an_account_like_any_other(
    undamaged: System, alice: Account, bob: Account
) -> None:
    """Where there are more than fit on one network; main is on all of them."""
    system = undamaged
    far = system.create("far")
    record = system.cli.state / "accounts" / "far.toml"
    record.write_text(record.read_text().replace("network = 0", "network = 1"))
    system.apply()
    system.wait_until_up()
    shown = system.shown(far)
    assert shown["status"] == "running"
    assert shown["ipv6"] != far.ipv6
    assert system.engine.networks() >= {system.engine.instance, f"{system.engine.instance}-net1"}
    word = system.post(far.address)
    system.wait_for(far, word)
    words = [token(), token(), token()]
    for sender, recipient, one in ((far, alice, words[0]), (alice, far, words[1]), (far, None, words[2])):
        to = recipient.short_address if recipient else "erin@outside.test"
        system.submit(sender, compose(sender.short_address, to, one), to)
    system.wait_for(alice, words[0])
    system.wait_for(far, words[1])
    system.world.wait_for(words[2])
    for one in (alice.ipv6, ipv4(system.engine.account(bob.name))):
        assert open_ports(system.engine.account("far"), one, *PUBLIC, *PRIVATE) == set()
    system.cli.ok("account", "delete", "far", "--purge", "--yes")
