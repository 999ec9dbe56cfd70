"""Mail that leaves: to whom it goes is verified as the receiver's DNS (DANE) or policy (MTA-STS) asks, or it waits."""

from collections.abc import Iterator

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.system import Account, System

pytestmark = pytest.mark.once

KEY = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
POLICY = "version: STSv1\nmode: enforce\nmx: mx.policy.test\nmax_age: 86400\n"


def hosts(system: System, domain: str) -> list[tuple[str, str]]:
    """A domain's mail server, which is the outside's."""
    return [(f"{domain}.", f"MX 10 mx.{domain}."), (f"mx.{domain}.", f"A {system.world.address}")]


def key_digest(system: System) -> str:
    """Of the outside's mail server's public key (RFC 6698, selector 1 and matching type 1)."""
    command = f"openssl x509 -in {KEY} -noout -pubkey | openssl pkey -pubin -outform der | sha256sum"
    return system.world.run("sh", "-c", command)[1].split()[0]


def forget(system: System) -> None:
    """Have main ask the DNS anew what it remembers for a minute: its resolver what is wrong, Postfix keys."""
    assert execute(system.main, "s6-svc", "-r", "/run/service/unbound")[0] == 0
    assert execute(system.main, "s6-svc", "-h", "/run/service/postfix")[0] == 0


def send(system: System, account: Account, domain: str) -> str:
    word = token()
    recipient = f"friend@{domain}"
    system.submit(account, compose(account.short_address, recipient, word), recipient)
    return word


def sessions(system: System, host: str) -> set[str]:
    """How sure main was of those it has spoken to."""
    lines = system.main.logs().decode(errors="replace").splitlines()
    found = (line.split("]: ", 1)[-1].split() for line in lines if f"TLS connection established to {host}[" in line)
    return {words[0] for words in found}


@pytest.fixture(scope="module", autouse=True)
def own_dns(system: System) -> Iterator[None]:
    """What the tests add to the DNS goes with them."""
    yield
    system.world.serve()


def test_a_server_whose_key_is_in_the_dns_is_verified_by_it(system: System, bob: Account) -> None:
    """DANE (RFC 7672): with another key than the server's, mail waits; once it is right, it leaves."""
    digest = key_digest(system)
    wrong = ("_25._tcp.mx.keys.test.", f"TLSA 3 1 1 {'00' * 32}")
    system.world.serve(*hosts(system, "keys.test"), wrong)
    word = send(system, bob, "keys.test")
    assert "Server certificate not verified" in system.put_off("friend@keys.test")
    system.world.serve(*hosts(system, "keys.test"), ("_25._tcp.mx.keys.test.", f"TLSA 3 1 1 {digest}"))
    forget(system)
    system.retry_now()
    system.world.wait_for(word, "friend@keys.test")
    assert sessions(system, "mx.keys.test") == {"Untrusted", "Verified"}


def test_who_forges_the_dns_gets_no_mail(system: System, bob: Account) -> None:
    system.world.serve(*hosts(system, "forged.test"), forged={"forged.test."})
    word = send(system, bob, "forged.test")
    assert "Host or domain name not found" in system.put_off("friend@forged.test")
    system.world.serve(*hosts(system, "forged.test"))
    forget(system)
    system.retry_now()
    system.world.wait_for(word, "friend@forged.test")


def present(system: System, name: str) -> None:
    """Have the outside's mail server show another certificate."""
    chain = f"/etc/postfix/{name}.key,/etc/postfix/{name}.crt" if name else ""
    assert system.world.run("postconf", "-e", f"smtpd_tls_chain_files={chain}")[0] == 0
    assert system.world.run("postfix", "reload")[0] == 0


@pytest.fixture
def policy(system: System) -> Iterator[None]:
    """A domain with an MTA-STS policy in mode `enforce`, of an authority that main trusts."""
    world = system.world
    assert world.run("mkdir", "-p", "/srv/.well-known")[0] == 0
    world.give("/srv/.well-known", "mta-sts.txt", POLICY.encode())
    server = "openssl s_server -quiet -WWW -accept 443 -key /etc/postfix/policy.key -cert /etc/postfix/policy.crt"
    world.run("sh", "-c", f"cd /srv && {server} < /dev/null > /dev/null 2>&1 &")
    world.serve(
        *hosts(system, "policy.test"),
        ("mta-sts.policy.test.", f"A {world.address}"),
        ("_mta-sts.policy.test.", 'TXT "v=STSv1; id=1"'),
    )
    authorities = system.cli.state / "trust" / "authorities.pem"
    authorities.write_text(world.run("cat", "/etc/postfix/policy_ca.pem")[1])
    system.apply()
    yield
    authorities.unlink()
    system.apply()
    world.run("pkill", "openssl")
    present(system, "")


@pytest.mark.usefixtures("policy")
def test_a_server_is_verified_by_its_domains_policy(system: System, bob: Account) -> None:
    """MTA-STS (RFC 8461): with a certificate for other names mail waits."""
    word = send(system, bob, "policy.test")
    assert "Server certificate not" in system.put_off("friend@policy.test")
    present(system, "policy")
    system.retry_now()
    system.world.wait_for(word, "friend@policy.test")
    assert sessions(system, "mx.policy.test") == {"Untrusted", "Verified"}
