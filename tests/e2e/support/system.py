"""The system under test: made by the launcher, reached like any installation, taken away by label."""

import imaplib
import json
import secrets
import shutil
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from tests.e2e.support.cli import Cli
from tests.e2e.support.engine import Engine, execute
from tests.e2e.support.mail import Mailbox, compose, imap, smtp, token
from tests.e2e.support.names import resolving
from tests.e2e.support.wait import until
from tests.e2e.support.world import World
from tests.e2e.support.zone import ask
from tests.ports import free_port_base

from mailpod.host.locks import lock
from mailpod.model.records import DEFAULT_STACK

BASE_IMAGE = "mailpod/base:trixie"


@dataclass(frozen=True)
class Account:
    """What `account create --json` told of an account; no IPv6 address where a test needs none."""

    name: str
    address: str
    short_address: str
    fqdn: str
    password: str
    ipv6: str = ""

    @property
    def logins(self) -> tuple[str, ...]:
        """The names its owner may log in with."""
        return self.name, self.short_address, self.address


class System:
    """A running system of one domain and the outside around it.

    Args:
        address: at which main's ports are published.
        stack: of accounts that do not say otherwise.
    """

    def __init__(
        self, domain: str, cli: Cli, engine: Engine, world: World, folder: Path, address: str, stack: str
    ) -> None:
        self.stack = stack
        self.domain = domain
        self.cli = cli
        self.engine = engine
        self.world = world
        self.folder = folder
        self.address = address
        self.port_base = free_port_base()
        # RFC 3849: addresses of documentation, which are routed nowhere.
        self.prefix = f"2001:db8:{secrets.randbits(16):x}:{secrets.randbits(16):x}::/64"
        self.authority = folder / "ca.pem"
        self.first: Account | None = None
        self._create_seconds = 10.0

    def port(self, number: int) -> int:
        """Where main's port `number` is published."""
        return self.port_base + number

    def up(self) -> None:
        """Deploy it with the launcher and let the outside reach it."""
        self.world.trust(self.cli.state)
        # Two that choose a subnet in the same moment might choose the same one.
        with lock("tests-up", 900):
            self.cli.ok(
                *("up", self.domain, "--port-base", str(self.port_base), "--resolver", self.world.address),
                *("--ipv6-prefix", self.prefix),
                *(("--bind", self.address) if self.address == "127.0.0.1" else ()),
                seconds=900,
            )
        self.authority.write_text(self.cli.ok("ca").out)
        self.world.start()
        self.world.attach(self.main)
        self.world.give("/etc/ssl/certs", "club-ca.pem", self.authority.read_bytes())
        self.wait_until_up()

    def up_again(self) -> None:
        """`up` with nothing but the domain, after `down`."""
        self.cli.ok("up", self.domain)
        self.world.attach(self.main)
        self.wait_until_up()

    def apply(self) -> None:
        """Converge, and connect main to the outside again if it was made anew."""
        self.cli.ok("apply")
        self.world.attach(self.main)

    def wait_until_up(self) -> None:
        """Wait until main greets on SMTP and IMAP."""
        until(lambda: self.banner(25).startswith("220"), "main's SMTP banner", 40)
        until(lambda: self.banner(143).startswith("* OK"), "main's IMAP banner", 40)

    def banner(self, number: int) -> str:
        """The first line that main says on a port."""
        with socket.create_connection((self.address, self.port(number)), timeout=10) as connection:
            return connection.recv(1000).decode(errors="replace")

    @property
    def main(self) -> Container:
        """The main container as it is now."""
        return self.engine.main()

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust in the system's own certificate authority and in nothing else."""
        return ssl.create_default_context(cafile=str(self.authority))

    def create(self, name: str, *options: str, password: str = "") -> Account:
        """Create an account with a password of its own."""
        chosen = password or secrets.token_hex(8)  # no sign that a client takes for an option's
        given = options if "--stack" in options else (*options, "--stack", self.stack)
        start = time.monotonic()
        made = self.cli.ok("account", "create", name, "--password-stdin", "--json", *given, stdin=f"{chosen}\n").json()
        self._create_seconds = min(self._create_seconds, time.monotonic() - start)
        return Account(made["name"], made["address"], made["short_address"], made["fqdn"], chosen, made["ipv6"])

    def keep_only(self, *names: str) -> None:
        """Destroy all other accounts."""
        others = [one["name"] for one in self.cli.ok("account", "list", "--json").json() if one["name"] not in names]
        if others:
            self.cli.destroy(others)

    def create_seconds(self) -> float:
        """The least time that making an account has taken so far."""
        return self._create_seconds

    def shown(self, account: Account) -> dict[str, Any]:
        """What `account show` tells."""
        return dict(self.cli.ok("account", "show", account.name, "--json").json())

    @contextmanager
    def mailbox(self, account: Account, login: str = "", number: int = 993) -> Iterator[Mailbox]:
        """An account's mailbox, opened through main."""
        host, port = f"imap.{self.domain}", self.port(number)
        with imap(host, port, self.tls, starttls=number == 143) as session:
            session.login(login or account.name, account.password)
            yield Mailbox(session)

    def reaches(self, account: Account) -> bool:
        """Whether a login leads through main into the account."""
        try:
            with self.mailbox(account):
                return True
        except imaplib.IMAP4.error:
            return False

    @contextmanager
    def submission(self, account: Account, login: str = "", number: int = 587) -> Iterator[smtplib.SMTP]:
        """A logged-in submission session through main."""
        how = "implicit" if number == 465 else "starttls"
        with smtp(f"smtp.{self.domain}", self.port(number), self.tls, tls=how) as session:
            session.login(login or account.name, account.password)
            yield session

    @contextmanager
    def mx(self) -> Iterator[smtplib.SMTP]:
        """A session with main's port 25, as an outside mail server has it."""
        with smtp(f"mail.{self.domain}", self.port(25)) as session:
            yield session

    def post(self, recipient: str, subject: str = "", sender: str = "someone@outside.test") -> str:
        """Hand a message to main's port 25; returns the word in its subject."""
        word = token()
        message = compose(sender, recipient, word, subject=subject)
        with self.mx() as session:
            session.send_message(message, from_addr=sender, to_addrs=[recipient])
        return word

    def submit(self, account: Account, message: EmailMessage, *recipients: str) -> None:
        """Send a message as an account."""
        with self.submission(account) as session:
            session.send_message(message, from_addr=account.short_address, to_addrs=list(recipients))

    def wait_for(self, account: Account, word: str, folder: str = "INBOX", seconds: float = 20) -> EmailMessage:
        """The message with `word` in an account's mailbox, once it is there."""
        with self.mailbox(account) as mailbox:
            return mailbox.wait_for(word, folder, seconds)

    def waiting(self, recipient: str = "") -> list[str]:
        """Why messages (for this recipient) wait in main, as Postfix itself tells."""
        lines = execute(self.main, "postqueue", "-j")[1].splitlines()
        entries = [one for line in lines if line.startswith("{") for one in json.loads(line)["recipients"]]
        return [one.get("delay_reason", "") for one in entries if recipient in one["address"]]

    def held(self, recipient: str) -> list[str]:
        """Queue ids of what main has on hold for this recipient, or for any in this domain."""
        lines = execute(self.main, "postqueue", "-j")[1].splitlines()
        entries = [json.loads(line) for line in lines if line.startswith('{"queue_name": "hold"')]
        return [e["queue_id"] for e in entries if any(recipient in one["address"] for one in e["recipients"])]

    def put_off(self, recipient: str) -> str:
        """Why main could not yet deliver to this recipient, once it has tried."""
        return until(lambda: "".join(self.waiting(recipient)), f"a message for {recipient} in main's queue", 40)

    def served(self, name: str, kind: str, *, tcp: bool = False) -> set[str]:
        """What its own name server has for a name, asked where it is published."""
        return ask(self.address, self.port(53), name, kind, tcp=tcp)

    def retry_now(self) -> None:
        """Have main try everything it holds again, as `apply` does, instead of waiting for its next run."""
        # Marked as sent again: what only comes sooner than Postfix would send it again is not known as a second copy.
        code, said = execute(self.main, "env", "SSH_ORIGINAL_COMMAND=flush", "/usr/lib/mailpod/operator")
        assert code == 0, said

    def forgive(self) -> None:
        """Let everybody try passwords anew who has tried wrong ones."""
        code, output = execute(self.main, "/usr/lib/mailpod/dovecot/forgive")
        assert code == 0, output

    def logs(self) -> str:
        """What all its containers and the outside's mail server said last."""
        return f"{self.engine.logs()}\n===== mx.outside.test\n{self.world.log()}"


@dataclass(frozen=True)
class Place:
    """The machine a system runs on.

    Attributes:
        address: of main's published ports, seen from the tests.
        url: of the engine; empty for the usual one.
        within: words before a command that run it there.
        configuration: folder of the docker command's configuration; empty for the usual one.
        prefix: IPv6 prefix for a system there; any when empty.
    """

    address: str = "127.0.0.1"
    url: str = ""
    within: tuple[str, ...] = ()
    configuration: str = ""
    prefix: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a command that is run there has in its environment."""
        told = {"DOCKER_HOST": self.url, "DOCKER_CONFIG": self.configuration}
        return {name: value for name, value in told.items() if value}


HERE = Place()


@contextmanager
def running_system(domain: str, folder: Path, place: Place = HERE, stack: str = DEFAULT_STACK) -> Iterator[System]:
    """A system with a name of its own; nothing of it is left afterwards, whatever happened."""
    instance = f"mpt{secrets.token_hex(3)}"
    engine = Engine(instance, place.url)
    cli = Cli(folder / "state", instance, place.environment, place.within)
    try:
        world = World(engine, domain, "" if place.url else BASE_IMAGE)
        world.make_network()
        system = System(domain, cli, engine, world, folder, place.address, stack)
        system.prefix = place.prefix or system.prefix
        with resolving(domain, place.address):
            try:
                system.up()
            except BaseException as error:
                error.add_note(system.logs())
                raise
            yield system
        cli.ok("down", "--purge", "--yes")
    finally:
        engine.remove_everything()
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)
