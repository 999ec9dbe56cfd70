"""Two systems that write to each other over the outside, whose DNS has the records that `dns show` of each gives."""

import secrets
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import Engine, execute
from tests.e2e.support.mail import compose, token
from tests.e2e.support.names import resolving
from tests.e2e.support.system import Account, System

# Main's doing: once, in the process that has less to do.
pytestmark = pytest.mark.stack("classic")

DOMAIN = "guild.test"


@pytest.fixture(scope="module")
def peer(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Another system, on the network where the outside is."""
    world = system.world
    engine = Engine(f"mpt{secrets.token_hex(3)}")
    folder = tmp_path_factory.mktemp("peer")
    cli = Cli(folder / "state", engine.instance)
    other = System(DOMAIN, cli, engine, world, folder, system.address, system.stack)
    address = str(world.ipv4_subnet[5])
    try:
        world.trust(cli.state)
        cli.ok(
            *("up", DOMAIN, "--port-base", str(other.port_base), "--resolver", world.address, "--dns", "built-in"),
            *("--bind", other.address, "--public-ipv4", address),
        )
        other.authority.write_text(cli.ok("ca").out)
        world.attach(other.main, address)
        with resolving(DOMAIN, other.address):
            yield other
    finally:
        engine.remove_everything()
        engine.close()


def host(system: System) -> str:
    """What the DNS calls main: to containers on a network with it the engine itself answers its own name, unsigned."""
    return f"mx.{system.domain}"


def published(system: System, address: str, *, keys: bool = True) -> list[tuple[str, str]]:
    """The records that its operator is given, with its address outside; the server of them all is the outside's.

    Args:
        keys: with main's, and with a name for main that is signed; else main has its own name, as in its policy.
    """
    records = system.cli.ok("dns", "show", "--json").json()["records"]
    lines = [(f"{one['name']}.", f"{one['type']} {one['data']}") for one in records]
    left_out = {"A", "AAAA", "NS"}
    if keys:
        lines = [(name.replace("mail.", "mx."), data.replace("mail.", "mx.")) for name, data in lines]
        hosts = [host(system)]
    else:
        left_out.add("TLSA")
        hosts = [f"{name}.{system.domain}" for name in ("mail", "mta-sts")]
    kept = [(name, data) for name, data in lines if data.split()[0] not in left_out]
    return [*kept, *((f"{name}.", f"A {address}") for name in hosts)]


@pytest.fixture(scope="module")
def carl(system: System, peer: System, alice: Account) -> Iterator[Account]:
    """The other system's account, once the DNS knows both."""
    made = peer.create("carl")
    world = system.world
    world.serve(*published(system, world.main_address), *published(peer, str(world.ipv4_subnet[5])))
    yield made
    system.world.serve()


def send(system: System, account: Account, recipient: Account) -> str:
    word = token()
    system.submit(account, compose(account.short_address, recipient.short_address, word), recipient.short_address)
    return word


def passed(message: EmailMessage, by: System) -> set[str]:
    """What a system found of who sent a message."""
    own = [str(one) for one in message.get_all("Authentication-Results", []) if by.domain in str(one).split(";")[0]]
    return {word.strip().split()[0] for line in own for word in line.split(";")[1:]}


def verified(system: System, name: str) -> bool:
    """Whether main was sure of the host of that name."""
    return f"Verified TLS connection established to {name}[" in system.main.logs().decode(errors="replace")


def test_mail_goes_both_ways_verified(system: System, peer: System, alice: Account, carl: Account) -> None:
    """SPF, DKIM and DMARC pass, and the sender has verified the receiver's key (DANE)."""
    there = peer.wait_for(carl, send(system, alice, carl))
    assert {"spf=pass", "dkim=pass", "dmarc=pass"} <= passed(there, peer)
    assert verified(system, host(peer))
    back = system.wait_for(alice, send(peer, carl, alice))
    assert {"spf=pass", "dkim=pass", "dmarc=pass"} <= passed(back, system)
    assert verified(peer, host(system))


def test_mail_leaves_by_the_families_that_the_dns_tells(system: System, peer: System) -> None:
    """The engine may lend IPv6 to a container that has no address there which anybody knows."""
    asked = ("postmap", "-q", "smtp:", "regexp:/run/families")
    assert execute(system.main, *asked)[1].split() == ["smtp:"], "its prefix is routed"
    assert execute(peer.main, *asked)[1].split() == ["smtp4:"], "it has none"
    assert execute(peer.main, "postconf", "-P", "smtp4/unix/inet_protocols")[1].split()[-1] == "ipv4"


@pytest.mark.usefixtures("carl")
def test_posttls_finger_verifies_the_key_that_dns_show_gives(system: System, peer: System) -> None:
    code, said = system.world.run("posttls-finger", "-c", "-l", "dane", "-L", "summary", peer.domain)
    assert code == 0, said
    assert f"Verified TLS connection established to {host(peer)}[" in said, said


@pytest.fixture
def policies(system: System, peer: System, carl: Account) -> Iterator[None]:
    """All trust the authority of each, so that each insists on being verified; no keys are in the DNS."""
    world, both = system.world, (system, peer)
    files = [one.cli.state / "trust" / "authorities.pem" for one in both]
    for file in files:
        file.write_text("".join(one.authority.read_text() for one in both))
    for one in both:
        one.apply()
    there = str(world.ipv4_subnet[5])
    world.serve(*published(system, world.main_address, keys=False), *published(peer, there, keys=False))
    yield
    for file in files:
        file.unlink()
    system.apply()


@pytest.mark.usefixtures("policies")
def test_without_keys_in_the_dns_each_verifies_the_other_by_its_policy(
    system: System, peer: System, alice: Account, carl: Account
) -> None:
    """MTA-STS in mode `enforce` (RFC 8461), both ways; in mode `testing` a server is not verified."""
    there = peer.wait_for(carl, send(system, alice, carl))
    assert {"spf=pass", "dkim=pass", "dmarc=pass"} <= passed(there, peer)
    assert verified(system, f"mail.{peer.domain}")
    back = system.wait_for(alice, send(peer, carl, alice))
    assert {"spf=pass", "dkim=pass", "dmarc=pass"} <= passed(back, system)
    assert verified(peer, f"mail.{system.domain}")
