"""Guessing passwords: slowed, then refused, wherever one logs in; whoever knows the password gets in from elsewhere."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import token
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

# How somebody on the outside's machine logs in, and says "in". $1: domain, $2: login, $3: password, $4: version of IP.
SERVICES = {
    "imap": 'curl -sS -$4 --cacert $ca --user "$2:$3" "imaps://imap.$1/" >&2 && echo in',
    "submission": 'curl -sS -$4 --cacert $ca --user "$2:$3" "smtps://smtp.$1/" --request NOOP >&2 && echo in',
    "sieve": """
        sieve-connect -$4 --server imap.$1 --port 4190 --tlscafile $ca --passwordfd 3 --user $2 --list 3<<<$3 >&2 &&
            echo in""",
    "webmail": """
        jar=$(mktemp) page=https://webmail.$1/?_task=login ip=-$4
        web() { curl -sS $ip --cacert $ca -c $jar -b $jar "$@"; }
        token=$(web $page | sed -n 's/.*name="_token" value="\\([^"]*\\).*/\\1/p')
        web -o /dev/null -w '%{http_code}' -d "_task=login&_action=login&_user=$2&_pass=$3&_token=$token" $page |
            grep -q 302 && echo in""",
}


def lets_in(system: System, service: str, account: Account, password: str, version: int = 4) -> bool:
    """Whether the outside, by its IPv4 or its IPv6 address, gets in there with this password."""
    script = f"ca=/etc/ssl/certs/club-ca.pem; {SERVICES[service]}"
    arguments = (system.domain, account.name, password, str(version))
    return "in\n" in system.world.run("bash", "-c", script, "-", *arguments)[1]


def all_at_once(system: System, *tries: tuple[str, Account, str]) -> set[bool]:
    with ThreadPoolExecutor(len(tries)) as pool:
        return set(pool.map(lambda one: lets_in(system, *one), tries))


@pytest.fixture(scope="module")
def victims(system: System) -> Iterator[tuple[Account, Account]]:
    with ThreadPoolExecutor() as pool:
        made = tuple(pool.map(system.create, ("victoria", "victor")))
    yield made
    forgive(system, system.world.address)


def forgive(system: System, whom: str) -> None:
    code, output = execute(system.main, "/usr/lib/mailpod/dovecot/forgive", whom)
    assert code == 0, output


def test_who_guesses_is_slowed_then_refused_and_nobody_else(
    system: System, stack: str, victims: tuple[Account, Account]
) -> None:
    """Counted together over all services, for the outside's IPv4 address: its IPv6 address is another client."""
    victoria, victor = victims
    services = [name for name in SERVICES if name != "sieve" or stack == "dovecot"]
    guesses = [(service, account, token()) for account in victims for service in ("imap", "submission", services[-2])]
    assert all_at_once(system, *guesses) == {False}

    more = [(service, account, token()) for account in victims for service in ("webmail", "imap")]
    assert all_at_once(system, *more) == {False}

    right = [(service, victoria, victoria.password) for service in services]
    assert all_at_once(system, *right) == {False}
    assert lets_in(system, "imap", victoria, victoria.password, version=6)
    assert system.reaches(victoria)
    assert system.reaches(victor)

    written = execute(system.main, "cat", f"/data/lib/refusals/guessing/{victoria.name}")[1]
    assert f"imap from {system.world.address} slowed: waits 4 s" in written
    assert f"imap from {system.world.address} refused: too many wrong passwords from this address" in written
    assert victoria.password not in written
    told = system.cli.ok("status").out
    assert re.search(
        rf"refused to {victoria.name}: guessing, .* times .*: \w+ from {system.world.address} refused", told
    )
    forgive(system, system.world.address)
    assert all_at_once(system, *right) == {True}


@pytest.mark.stack("dovecot")
def test_who_guesses_past_main_is_refused_by_the_account(system: System, victims: tuple[Account, Account]) -> None:
    """From one address over IMAP and submission; through main, the owner gets in."""
    victim, neighbour = victims

    def gets_in(account: Account, password: str, url: str, port: int) -> bool:
        where = ("--cacert", "/etc/ssl/certs/club-ca.pem", "--resolve", f"{account.fqdn}:{port}:[{account.ipv6}]")
        who = ("--user", f"{account.name}:{password}")
        return system.world.run("curl", "-sS", *where, *who, f"{url}://{account.fqdn}/", "--request", "NOOP")[0] == 0

    doors = [("imaps", 993), ("smtps", 465)]
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda count: gets_in(victim, token(), *doors[count % 2]), range(12))) == {False}
    assert not any(gets_in(victim, victim.password, *door) for door in doors)
    assert all(gets_in(neighbour, neighbour.password, *door) for door in doors)
    assert system.reaches(victim)


@pytest.mark.once
def test_a_storm_of_strangers_does_not_keep_the_operator_out(system: System) -> None:
    """Who goes on without logging in to the jump host is no longer greeted; the operator's commands work meanwhile."""
    greet = "exec 3<>/dev/tcp/{}/22; read -r line <&3; echo SSH-2.0-stranger >&3; echo $line"
    storm = f"for i in {{1..60}}; do ({greet.format(system.world.main_address)}) & done; wait"
    with ThreadPoolExecutor() as pool:
        storming = pool.submit(system.world.run, "bash", "-c", storm)
        system.cli.ok("account", "list")
        system.create("amid-strangers")
        storming.result()
    until(
        lambda: "SSH-2.0" not in system.world.run("bash", "-c", greet.format(system.world.main_address))[1],
        "the end of SSH's patience with a stranger",
    )
    system.cli.ok("account", "show", "amid-strangers")
