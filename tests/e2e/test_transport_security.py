"""Mail that leaves: to whom it goes is verified as the receiver's DNS (DANE) or policy (MTA-STS) asks, or it waits."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.support.engine import execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.signatures import check, publish
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until
from tests.e2e.support.world import INBOX

# Main's doing: once, in the process that has less to do.
pytestmark = pytest.mark.stack("classic")

Records = list[tuple[str, str]]

CERTIFICATE = "/etc/ssl/certs/ssl-cert-snakeoil.pem"
POLICY = "version: STSv1\nmode: enforce\nmx: mx.policy.test\nmax_age: 86400\n"
UNVERIFIED = "Server certificate not verified"
REPORTS = "reports@policy.test"
UPLOADS = "https://mta-sts.policy.test/reports"
UPLOADED = "/srv/uploaded/application-tlsrpt+gzip"


@pytest.fixture(scope="module", autouse=True)
def own_dns(system: System) -> Iterator[None]:
    """What the tests add to the DNS goes with them."""
    yield
    system.world.serve()
    ask_anew(system)


@pytest.fixture(scope="module")
def digest(system: System) -> str:
    """Of the public key of the outside's mail server (RFC 6698, selector 1 and matching type 1)."""
    command = f"openssl x509 -in {CERTIFICATE} -noout -pubkey | openssl pkey -pubin -outform der | sha256sum"
    return system.world.run("sh", "-c", command)[1].split()[0]


def hosts(system: System, domain: str) -> Records:
    """A domain's mail server, which is the outside's."""
    return [(f"{domain}.", f"MX 10 mx.{domain}."), (f"mx.{domain}.", f"A {system.world.address}")]


def key(domain: str, digest: str) -> tuple[str, str]:
    """What the DNS says of its key."""
    return f"_25._tcp.mx.{domain}.", f"TLSA 3 1 1 {digest}"


def resolver(system: System) -> str:
    """What main says of its own."""
    return execute(system.main, "/usr/lib/mailpod/unbound/state")[1].strip()


def ask_anew(system: System) -> None:
    """Have main forget what it remembers for a minute: its resolver what is wrong, Postfix keys."""
    for sign, service in (("-r", "unbound"), ("-h", "postfix")):
        assert execute(system.main, "s6-svc", sign, f"/run/service/{service}")[0] == 0
    until(lambda: resolver(system) == "verified", "main's resolver")


def send(system: System, account: Account, domain: str) -> str:
    word = token()
    recipient = f"friend@{domain}"
    system.submit(account, compose(account.short_address, recipient, word), recipient)
    return word


def arrives(system: System, word: str, domain: str) -> None:
    """What waited leaves, once it is tried again."""
    ask_anew(system)
    system.retry_now()
    system.world.wait_for(word, f"friend@{domain}")


def sessions(system: System, host: str) -> list[str]:
    """How sure main was of a host, whenever it spoke to it."""
    lines = system.main.logs().decode(errors="replace").splitlines()
    return [line.split("]: ", 1)[1].split()[0] for line in lines if f"TLS connection established to {host}[" in line]


def test_a_server_is_verified_by_the_key_in_its_dns(system: System, bob: Account, digest: str) -> None:
    """DANE (RFC 7672): while it shows another, mail waits."""
    domain = "keys.test"
    system.world.serve(*hosts(system, domain), key(domain, "00" * 32))
    word = send(system, bob, domain)
    assert UNVERIFIED in system.put_off(f"friend@{domain}")
    system.world.serve(*hosts(system, domain), key(domain, digest))
    arrives(system, word, domain)
    assert sessions(system, f"mx.{domain}")[-1] == "Verified"


def test_who_forges_the_dns_gets_no_mail(system: System, bob: Account) -> None:
    """Answers that are signed wrongly are none."""
    domain = "forged.test"
    system.world.serve(*hosts(system, domain), forged={f"{domain}."})
    word = send(system, bob, domain)
    assert "Host or domain name not found" in system.put_off(f"friend@{domain}")
    system.world.serve(*hosts(system, domain))
    arrives(system, word, domain)


def test_status_says_what_is_wrong_with_the_dns(system: System) -> None:
    world = system.world
    world.serve(forged={"."})
    ask = f"ask another, one that gives signatures (DNSSEC): mailpod up {system.domain} --resolver ADDRESS"
    assert execute(system.main, "s6-svc", "-r", "/run/service/unbound")[0] == 0
    until(lambda: resolver(system).startswith("bogus"), "a lie to be found out")
    assert ask in system.cli.ok("status").out
    world.serve()
    ask_anew(system)
    world.run("sh", "-c", "kill -STOP $(pidof unbound)")
    try:
        # Once it has forgotten, after a second, what it had heard just before.
        silence = f"no answers of the DNS from {world.address}"
        until(lambda: silence in system.cli.ok("status").out, "silence to be told")
    finally:
        world.run("sh", "-c", "kill -CONT $(pidof unbound)")
    ask_anew(system)
    assert system.cli.ok("status", "--json").json()["resolver"]["state"] == "verified"


def present(system: System, name: str) -> None:
    """Have the outside's mail server show another certificate."""
    chain = f"/etc/postfix/{name}.key,/etc/postfix/{name}.crt" if name else ""
    assert system.world.run("postconf", "-e", f"smtpd_tls_chain_files={chain}")[0] == 0
    assert system.world.run("postfix", "reload")[0] == 0


@pytest.fixture(scope="module")
def policy(system: System) -> Iterator[Records]:
    """A domain with an MTA-STS policy in mode `enforce`, of an authority that main trusts; it asks for reports."""
    world = system.world
    publish(system)
    assert world.run("mkdir", "-p", "/srv/.well-known", "/srv/uploaded")[0] == 0
    world.give("/srv/.well-known", "mta-sts.txt", POLICY.encode())
    world.run("sh", "-c", "policy-host < /dev/null > /dev/null 2>&1 &")
    authorities = system.cli.state / "trust" / "authorities.pem"
    authorities.write_text(world.run("cat", "/etc/postfix/policy_ca.pem")[1])
    system.apply()
    yield [
        *hosts(system, "policy.test"),
        ("mta-sts.policy.test.", f"A {world.address}"),
        ("_mta-sts.policy.test.", 'TXT "v=STSv1; id=1"'),
        ("_smtp._tls.policy.test.", f'TXT "v=TLSRPTv1; rua=mailto:{REPORTS},{UPLOADS}"'),
    ]
    authorities.unlink()
    system.apply()
    world.run("pkill", "policy-host")


def report(system: System) -> dict[str, Any]:
    """What policy.test hears of the time since its last report (RFC 8460 section 4), as if that had been yesterday.

    It comes by signed mail, although its server's certificate is not what its policy wants, and over HTTPS.
    """
    seen, main = "TLS-Report-Domain: policy.test", system.main

    def yesterday() -> str:
        return execute(main, "stat", "-c", "%i", "/data/lib/tlsrpt/collected.db.yesterday")[1]

    before = yesterday()
    assert execute(main, "s6-svc", "-2", "/run/service/tlsrpt_collect")[0] == 0
    until(lambda: yesterday() != before, "the day to be over")
    quick = f"DBNAME=/tmp/{token()}.db", "SPREAD_OUT_DELIVERY=1", "INTERVAL_MAIN_LOOP=1"
    command = " ".join(f"TLSRPT_REPORTD_{option}" for option in quick)
    execute(main, "sh", "-c", f"{command} /usr/lib/mailpod/tlsrpt/report > /dev/null 2>&1 &")
    message = system.world.wait_for(seen, REPORTS)
    check(system, seen)
    system.world.run("sh", "-c", f"grep -rl '{seen}' {INBOX} | xargs rm")
    assert message.get_content_type() == "multipart/report"
    assert (message["TLS-Report-Submitter"], message["TLS-Required"]) == (system.domain, "No")
    (file,) = message.iter_attachments()
    assert file.get_content_type() == "application/tlsrpt+gzip"
    found = json.loads(gzip.decompress(file.get_content()))
    assert isinstance(found, dict)
    assert until(lambda: uploaded(system), "an upload") == found
    return found


def uploaded(system: System) -> object:
    """What main has uploaded, once it has; it is gone then."""
    code, text = system.world.run("sh", "-c", f"zcat < {UPLOADED} && rm {UPLOADED}")
    return json.loads(text) if code == 0 else None


def counted(policy: dict[str, Any]) -> tuple[str, bool, bool]:
    """Of one policy in a report: its type, and whether it tells of sessions that were secure, and of others."""
    summary = policy["summary"]
    ends = summary["total-successful-session-count"], summary["total-failure-session-count"]
    return policy["policy"]["policy-type"], *(count > 0 for count in ends)


def test_a_server_is_verified_by_its_domains_policy(system: System, bob: Account, policy: Records) -> None:
    """MTA-STS (RFC 8461): while its certificate is for other names, mail waits."""
    system.world.serve(*policy)
    word = send(system, bob, "policy.test")
    assert UNVERIFIED in system.put_off("friend@policy.test")
    present(system, "policy")
    try:
        arrives(system, word, "policy.test")
    finally:
        present(system, "")
    assert sessions(system, "mx.policy.test")[-1] == "Verified"
    told = report(system)
    assert told["organization-name"] == system.domain
    (only,) = told["policies"]
    assert counted(only) == ("sts", True, True)
    assert set(only["policy"]["policy-string"]) == set(POLICY.splitlines())
    (failure,) = only["failure-details"]
    assert failure["result-type"] == "validation-failure"
    assert failure["receiving-mx-hostname"] == "mx.policy.test"


def test_a_key_in_the_dns_comes_before_a_policy(system: System, bob: Account, policy: Records, digest: str) -> None:
    """Who has that is verified by it alone (RFC 8461 section 2), although the certificate does not fit the policy."""
    system.world.serve(*policy, key("policy.test", digest))
    ask_anew(system)
    system.world.wait_for(send(system, bob, "policy.test"), "friend@policy.test")
    assert sessions(system, "mx.policy.test")[-1] == "Verified"
    # That its first report came over such a connection is not in the second: reports are not about reports.
    told = report(system)
    assert [counted(one) for one in told["policies"]] == [("tlsa", True, False)]
