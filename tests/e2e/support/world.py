"""The outside: a network of its own with a resolver, a mail server for outside.test, and people's clients."""

import ipaddress
import json
import secrets
import socket
from collections.abc import Collection
from email.message import EmailMessage
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool
from tests.e2e.support.engine import LABEL_INSTANCE, Engine, execute, get_files, put_file
from tests.e2e.support.mail import parse, smtp
from tests.e2e.support.wait import until
from tests.e2e.support.zone import SignedZone

SOURCE = Path(__file__).resolve().parents[2] / "outside"
IMAGE = "mailpod/outside:test"
INBOX = "/mail/inbox/new"
REACHED = (25, 53, 8080)
"""Ports at which accounts of the system can reach it, if they may."""
HOSTS = ("mail", "webmail", "imap", "smtp", "autoconfig", "autodiscover", "mta-sts")


def build_image(client: DockerClient, base: str) -> None:
    """Build the outside's image on an engine."""
    client.images.build(path=str(SOURCE), tag=IMAGE, buildargs={"BASE": base}, rm=True)


class World:
    """The rest of the Internet, as far as the system under test can tell.

    Args:
        engine: where it runs; every object carries the engine's instance.
        domain: the demo domain its DNS serves.
        base: image the outside's own image is built from; empty when the engine has that image already.
        main: address of the system under test, if it is on another machine and needs no connection.
    """

    def __init__(self, engine: Engine, domain: str, base: str, main: str = "") -> None:
        self.engine = engine
        self.domain = domain
        self._base = base
        self._main = main
        self._name = f"{engine.instance}-outside"
        # RFC 2544's test addresses, and documentation's (RFC 3849): neither is routed anywhere, nor private.
        block = ipaddress.ip_network("198.18.0.0/15")
        self._subnets4 = [ipaddress.IPv4Network(one) for one in block.subnets(new_prefix=24)]
        self.ipv4_subnet = secrets.choice(self._subnets4)
        prefix = (0x20010DB8 << 96) | (secrets.randbits(32) << 64)
        self.ipv6_subnet = ipaddress.IPv6Network((prefix, 64))
        self.container: Container | None = None
        self._texts: dict[str, str] = {}
        self._records: list[tuple[str, str]] = []
        self.root = SignedZone()

    @property
    def address(self) -> str:
        """Of the resolver and the mail server."""
        return str(self.ipv4_subnet[2])

    @property
    def main_address(self) -> str:
        """Of the system under test, once it is connected."""
        return self._main or str(self.ipv4_subnet[3])

    def start(self) -> None:
        """Build the image, start the container on the network and wait until both servers answer."""
        if self._base:
            build_image(self.engine.client, self._base)
        environment = {"ZONE": self.zone(), "ANCHOR": self.root.anchor}
        self.container = self._host(self._name, "mx.outside.test", 2, None, environment, REACHED)
        until(self._answers, "the outside's servers", 30)

    def neighbour(self, number: int) -> Container:
        """Another host of the outside, at the address of that number, on which nothing runs yet."""
        return self._host(f"{self._name}-{number}", f"host{number}.outside.test", number, ["sleep", "infinity"], {})

    def _host(
        self,
        name: str,
        hostname: str,
        number: int,
        command: list[str] | None,
        environment: dict[str, str],
        reached: Collection[int] = (),
    ) -> Container:
        api = self.engine.client.api
        network = api.create_networking_config(
            {  # type: ignore[arg-type]  # the stubs miss the names
                self._name: api.create_endpoint_config(
                    ipv4_address=str(self.ipv4_subnet[number]), ipv6_address=str(self.ipv6_subnet[number])
                )
            }
        )
        made = api.create_container(
            IMAGE,
            command,
            name=name,
            hostname=hostname,
            environment=environment,
            labels={LABEL_INSTANCE: self.engine.instance},
            ports=list(reached),
            host_config=api.create_host_config(
                init=True,
                dns=["127.0.0.1"],
                # The outside does not go away when the engine of a system is started again.
                restart_policy={"Name": "always"},
                port_bindings=dict.fromkeys(reached, ("::",)) if self._guarded() else None,
            ),
            networking_config=network,
        )
        container = self.engine.client.containers.get(made["Id"])
        container.start()
        return container

    def _guarded(self) -> bool:
        """Whether the engine lets nobody in at a port that was not published."""
        return int(self.engine.client.version()["Version"].split(".")[0]) >= 27

    def make_network(self) -> None:
        """Make the network on addresses that nothing else on the engine has."""
        while True:
            pools = [
                IPAMPool(subnet=str(self.ipv4_subnet)),
                IPAMPool(subnet=str(self.ipv6_subnet), gateway=str(self.ipv6_subnet[1])),
            ]
            try:
                self.engine.client.networks.create(
                    self._name,
                    driver="bridge",
                    enable_ipv6=True,
                    # From Docker Engine 27 on the system would else see the engine's address in the outside's place.
                    options={"com.docker.network.bridge.gateway_mode_ipv6": "routed"},
                    ipam=IPAMConfig(pool_configs=pools),
                    labels={LABEL_INSTANCE: self.engine.instance},
                )
            except APIError as error:
                if "overlap" not in str(error):
                    raise
                self.ipv4_subnet = secrets.choice(self._subnets4)
            else:
                return

    def zone(self) -> str:
        """The root zone: every name there is (RFC 1035 section 5)."""
        out, main = self.ipv4_subnet[2], ipaddress.IPv4Address(self.main_address)
        out6, main6 = self.ipv6_subnet[2], self.ipv6_subnet[3]
        records = [
            (".", "SOA ns.outside.test. hostmaster.outside.test. 1 60 60 60 1"),
            (".", "NS ns.outside.test."),
            ("outside.test.", "MX 10 mx.outside.test."),
            ("nomail.test.", "MX 0 ."),  # RFC 7505: a domain that takes no mail
            (f"{self.domain}.", f"MX 10 mail.{self.domain}."),
            (f"*.{self.domain}.", f"MX 10 mail.{self.domain}."),
            (f"{out.reverse_pointer}.", "PTR mx.outside.test."),
            (f"{out6.reverse_pointer}.", "PTR mx.outside.test."),
            (f"{main.reverse_pointer}.", f"PTR mail.{self.domain}."),
            *([] if self._main else [(f"{main6.reverse_pointer}.", f"PTR mail.{self.domain}.")]),
        ]
        for name in ("ns.outside.test.", "mx.outside.test.", "relay.outside.test."):
            records += [(name, f"A {out}"), (name, f"AAAA {out6}")]
        for host in (f"{self.domain}.", *(f"{name}.{self.domain}." for name in HOSTS)):
            records += [(host, f"A {main}"), *([] if self._main else [(host, f"AAAA {main6}")])]
        for name, text in self._texts.items():
            parts = (text[at : at + 255] for at in range(0, len(text), 255))
            records.append((f"{name}.", "TXT " + " ".join(f'"{part}"' for part in parts)))
        taken = {(name, data.split()[0]) for name, data in self._records}
        kept = [(name, data) for name, data in records if (name, data.split()[0]) not in taken]
        return self.root.signed([*kept, *self._records])

    def trust(self, state: Path) -> None:
        """Have the system of this state folder trust the outside's root zone."""
        (state / "trust").mkdir(parents=True)
        (state / "trust" / "anchors").write_text(f"{self.root.anchor}\n")

    def publish(self, texts: dict[str, str]) -> None:
        """Add TXT records to the DNS, by name."""
        self._texts |= texts
        self._serve()

    def serve(self, *records: tuple[str, str], forged: Collection[str] = ()) -> None:
        """Have the DNS hold these records, type and data after each name, beside its own or in their place.

        Args:
            forged: names whose records are not what was signed.
        """
        self._records = list(records)
        self.root.forged = forged
        self._serve()

    def _serve(self) -> None:
        self.give("/run", "root.zone", f"{self.zone()}\n".encode())
        self.run("sh", "-c", "kill -HUP $(pidof unbound)")
        until(self._answers, "the outside's servers")

    def _answers(self) -> bool:
        greeting = self.run("bash", "-c", "read -r line </dev/tcp/127.0.0.1/25; echo $line")[1]
        known = self.run("getent", "ahostsv4", f"imap.{self.domain}")[1]
        return greeting.startswith("220") and self.main_address in known

    def run(self, *command: str) -> tuple[int, str]:
        """Run a program on the outside's machine: its exit code and all it wrote."""
        assert self.container, "the outside has not been started"
        return execute(self.container, *command)

    def until_listening(self, port: int) -> None:
        """Wait for a server that has been started on the outside's machine."""

        def answers() -> bool:
            with socket.create_connection((self.address, port), timeout=5):
                return True

        until(answers, f"a server at the outside's port {port}", 20)

    def end(self, command: str) -> None:
        """End the program on the outside's machine whose command line matches, and wait until it is gone."""
        self.run("pkill", "--full", command)
        until(lambda: self.run("pgrep", "--full", command)[0] != 0, f"the end of {command}")

    def give(self, folder: str, name: str, content: bytes, mode: int = 0o644) -> None:
        """Lay a file onto the outside's machine."""
        assert self.container
        put_file(self.container, folder, name, content, mode)

    def attach(self, container: Container, ipv4: str = "") -> bool:
        """Connect the system under test under its fixed addresses, or another under its own.

        Returns:
            False when it already is.
        """
        container.reload()
        if self._name in container.attrs["NetworkSettings"]["Networks"]:
            return False
        network = self.engine.client.networks.get(self._name)
        ipv6 = None if ipv4 else str(self.ipv6_subnet[3])
        network.connect(container, ipv4_address=ipv4 or self.main_address, ipv6_address=ipv6)
        return True

    def attach_name_server(self, container: Container) -> str:
        """Connect the system's name server, if it is not; its address for the outside's machine."""
        container.reload()
        if self._name not in container.attrs["NetworkSettings"]["Networks"]:
            self.engine.client.networks.get(self._name).connect(container, ipv4_address=str(self.ipv4_subnet[4]))
        return str(self.ipv4_subnet[4])

    def send(self, message: EmailMessage, recipients: list[str], sender: str = "") -> None:
        """Hand a message to the outside's own mail server, which finds the way by MX and keeps trying."""
        with smtp(self.address, 25) as session:
            session.send_message(message, from_addr=sender or str(message["From"]), to_addrs=recipients)

    def received(self, word: str) -> list[EmailMessage]:
        """Messages that arrived for outside.test and hold `word` in a line of their own or in the subject."""
        assert self.container
        code, names = self.run("grep", "--recursive", "--files-with-matches", "--fixed-strings", word, INBOX)
        if code != 0:
            return []
        found = []
        for name in names.split():
            try:
                found += [parse(raw) for _, raw in get_files(self.container, name)]
            except NotFound:  # moved between the two looks
                continue
        return found

    def wait_for(self, word: str, recipient: str = "", seconds: float = 20) -> EmailMessage:
        """The message that holds `word` (and was delivered to `recipient`), once it has arrived."""

        def found() -> EmailMessage | None:
            for message in self.received(word):
                if not recipient or message["Delivered-To"] == recipient:
                    return message
            return None

        return until(found, f"a message with {word} at outside.test", seconds, every=0.1)

    def queue(self) -> list[dict[str, object]]:
        """What the outside's mail server still has to deliver."""
        _, lines = self.run("postqueue", "-j")
        return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]

    def mail_server(self, verb: str) -> None:
        """`stop` or `start` the outside's mail server; its resolver goes on."""
        self.run("postfix", verb)
        if verb == "start":
            until(self._answers, "the outside's mail server")

    def log(self) -> str:
        """What the outside's mail server logged last."""
        return self.run("tail", "-n", "60", "/var/log/mail.log")[1] if self.container else ""
