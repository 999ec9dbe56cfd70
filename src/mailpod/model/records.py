"""The desired state: what the operator asked for, one record a file."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal, TypedDict
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mailpod.model import addresses

Stack = Literal["classic", "dovecot"]
"""The software inside an account, by the name of its folder in `images/account/`."""
DEFAULT_STACK: Stack = "dovecot"
"""What an account gets of which nothing else is said."""
FILTERS: dict[Stack, Literal["procmail", "sieve"]] = {"classic": "procmail", "dovecot": "sieve"}
"""What filters are written in: recipes of Procmail, or Sieve scripts, which mail clients can write (RFC 5804)."""
EngineKind = Literal["docker", "swarm"]
"""What runs the containers: one Docker Engine, or several as a Swarm."""
Dns = Literal["built-in", "elsewhere"]
"""Who serves the organisation's zone: a name server of the system's own, or somebody else."""
Antivirus = Literal["none", "clamav"]
"""What looks for viruses in mail."""
Internet = Literal["none", "mail", "all"]
"""What of the Internet an account reaches."""

MIB = 1024 * 1024
DEFAULT_MEMORY = 256 * MIB
MIN_MEMORY = 64 * MIB
NO_QUOTA = 0
DEFAULT_MESSAGES_PER_HOUR = 300
DEFAULT_QUOTA = 5 * 1024 * MIB
"""What a new account gets; a record that says nothing has none, so that an update refuses no mail."""
MIN_QUOTA = 10 * MIB
"""Least quota: a few messages with attachments."""
DEFAULT_CPUS = 1.0
MIN_CPUS, MAX_CPUS = 0.1, 1024.0
DEFAULT_PROCESSES = 256
MIN_PROCESSES, MAX_PROCESSES = 64, 32768
"""At least what all of an account's servers have at once, with some mail coming in."""
DEFAULT_RETENTION = timedelta(days=30)
"""How long the volume of a deleted account is kept, if nothing else is said."""
DEFAULT_CONNECTIONS = 60
MIN_CONNECTIONS, MAX_CONNECTIONS = 5, 1000
"""At least what one mail client opens."""

PORTS = {
    "smtp": 25,
    "submissions": 465,
    "submission": 587,
    "imap": 143,
    "imaps": 993,
    "sieve": 4190,
    "http": 80,
    "https": 443,
    "ssh": 2222,
}
"""Ports that main publishes, before the port base is added."""
DNS_PORT = 53
"""The port of the name server, likewise."""
RELAY_PORT = 587
"""The port of a relay host of which nothing else is said: submission (RFC 6409)."""
TENDED_EVERY = timedelta(days=1)
"""A system that is tended less often is told of; it should be every hour."""
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""The ACME server of which nothing else is said."""
EVERYWHERE = "0.0.0.0"  # noqa: S104  (a mail server listens to everyone)
"""All IPv4 addresses of a host."""


def new_id() -> str:
    """An opaque id, 12 hexadecimal digits, that is never given twice. The small ones are addresses of the engine's."""
    return f"{secrets.randbelow((1 << 48) - (1 << 32)) + (1 << 32):012x}"


def now() -> datetime:
    """The present second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MainImages(_Record):
    """What main and the services beside it run on, by the images' names; empty for the newest."""

    main: str = ""
    dns: str = ""
    antivirus: str = ""

    def tags(self) -> set[str]:
        """Those names."""
        return {self.main, self.dns, self.antivirus} - {""}


class System(_Record):
    """One installation: its domain and where main listens.

    Attributes:
        bind: IPv4 address of the host on which main's ports are published.
        port_base: number added to every published port.
        public_ipv4: the host's address for the outside; empty when it is `bind`, or not known.
        resolver: address of the DNS resolver that main and the accounts ask; when empty, main asks the root servers,
            and the accounts the engine's own.
        dns: who serves the zone.
        secondaries: by host name, the addresses of the servers elsewhere that keep a copy of it; without effect while
            it is served elsewhere.
        antivirus: what looks for viruses in mail.
        relay_host: name or address of the mail server through which everything leaves for the outside; empty when it
            leaves straight.
        relay_port: the port there.
        relay_user: what main logs in as there; empty when it does not.
        relay_credentials: id of the file that holds its password; see `mailpod.services.relay_host`.
        acme_email: whom an ACME server may write to; empty when none is asked for certificates.
        acme_server: URL of that server's directory (RFC 8555 section 7.1.1).
        acme_ca: certificates of the authorities that server's own is from, PEM; empty for the public ones.
        ipv6_subnet: the prefix of all its IPv6 addresses, at first unique local (RFC 4193).
        ipv6_routed: the outside reaches that prefix: the operator has it routed to the host.
        networks: the IPv4 subnet of each of its networks; see `mailpod.model.networks`.
        prefixes: by the name of a Swarm's machine, the IPv6 prefix that is routed to it.
        main_node: the name of the Swarm's machine that main is on; empty on one engine.
        drained: names of a Swarm's machines that take no accounts.
        engine: what runs it.
        encrypted: a Swarm encrypts packets between its machines: their kernels can.
        retention: how long the volume of a deleted account is kept for undelete.
        running: false after `down`, so that nothing starts it again behind the operator's back.
        images: what main and the services beside it run on, until `upgrade` changes it.
        images_before: what they ran on before that, for `rollback`.
    """

    domain: str
    instance: str
    engine: EngineKind = "docker"
    bind: str = EVERYWHERE
    public_ipv4: str = ""
    port_base: int = Field(default=0, ge=0, le=65535 - max(PORTS.values()))
    resolver: str = ""
    dns: Dns = "elsewhere"
    secondaries: dict[str, tuple[str, ...]] = {}
    antivirus: Antivirus = "none"
    relay_host: str = ""
    relay_port: int = Field(default=RELAY_PORT, ge=1, le=65535)
    relay_user: str = ""
    relay_credentials: str = ""
    acme_email: str = ""
    acme_server: str = LETS_ENCRYPT
    acme_ca: str = ""
    ipv6_subnet: str
    ipv6_routed: bool = False
    networks: tuple[str, ...] = ()
    prefixes: dict[str, str] = {}
    encrypted: bool = False
    main_node: str = ""
    drained: tuple[str, ...] = ()
    retention: timedelta = DEFAULT_RETENTION
    running: bool = True
    images: MainImages = MainImages()
    images_before: MainImages = MainImages()

    def port(self, service: str) -> int:
        """The published port of `service`, one of `PORTS`."""
        return PORTS[service] + self.port_base

    def dns_port(self) -> int:
        """The published port of the name server."""
        return DNS_PORT + self.port_base

    def local_address(self) -> str:
        """An address of this host at which published ports answer."""
        return "127.0.0.1" if self.bind == EVERYWHERE else self.bind

    def asks_lets_encrypt(self) -> bool:
        """Whether certificates are to come from Let's Encrypt, be it from the server it has for trials."""
        host = urlsplit(self.acme_server).hostname or ""
        return bool(self.acme_email) and host.endswith(".letsencrypt.org")

    def webmail(self) -> str:
        """The URL a browser on the Internet uses."""
        port = self.port("https")
        return f"https://webmail.{self.domain}" + ("" if port == 443 else f":{port}")

    def setup_page(self, address: str) -> str:
        """The URL at which the owner of an address is told how to set up mail clients."""
        return f"{self.webmail()}/setup?address={address}"


class Limits(TypedDict, total=False):
    """What an account may take, and until when it is there, as `Account` has it; what is left out is as it was."""

    memory: int
    cpus: float
    processes: int
    connections: int
    quota: int
    internet: Internet
    messages_per_hour: int
    expires: datetime | None


_ALLOWED = {
    "stack",
    "memory",
    "cpus",
    "processes",
    "connections",
    "quota",
    "internet",
    "messages_per_hour",
    "ssh_keys",
}
"""What an account may do, as far as it is the same for another one made of it."""


class Account(_Record):
    """One person or role: a container, a volume, a subdomain, an address.

    Attributes:
        id: opaque and immutable; the volume carries it, so a new `alice` never sees an old one's mail.
        memory: limit of the container's memory in bytes.
        cpus: how many processors it may keep busy.
        processes: limit of processes and threads.
        connections: how many IMAP sessions it has at once.
        quota: how many bytes its mail and files may take; `NO_QUOTA` for as many as the disk has.
        internet: what of the Internet it reaches: nothing (mail goes to accounts alone), mail, or all.
        messages_per_hour: how many messages it may send to the outside in an hour; each recipient there counts as one.
        network: on which of the system's networks it is, from 0; it stays there.
        node: the machine it runs on, where its volume is; empty on an engine that is one machine.
        copies: other machines that have a copy of its volume, begun or left by a move: worth nothing, to be destroyed.
        kept: other machines where it was, and its volume stays, since it was recovered from a file.
        volume: name of its volume, if that is not the one which its name and id give: it was restored from a backup.
        was: id of the account whose mail this is as it was, until a backup took its place; empty for all others.
        restoring: name of a volume that is being filled from a backup: worth nothing yet, to be destroyed.
        replaced: name of the volume that another has just taken the place of, to be kept as a deleted account's.
        ssh_keys: public keys, in OpenSSH's one-line form, that may log in through main's jump host.
        expires: when it is deleted by itself; None for one that stays.
        frozen: since when it is cut off, with its volume and its container's log kept as they are.
        image: name of the image it runs on, until `upgrade` changes it; empty for the newest.
        image_before: what it ran on before that, for `rollback`; empty when there is nothing to go back to.
        deleted: when it was deleted, while its volume is kept for undelete.
        purge: its volume is to be destroyed; true only between the two steps of a purge, so that `apply` can end it.
        keep_backups: its backups are not destroyed then.
    """

    id: str
    name: str
    created: datetime
    stack: Stack = DEFAULT_STACK
    memory: int = Field(default=DEFAULT_MEMORY, ge=MIN_MEMORY)
    cpus: float = Field(default=DEFAULT_CPUS, ge=MIN_CPUS, le=MAX_CPUS)
    processes: int = Field(default=DEFAULT_PROCESSES, ge=MIN_PROCESSES, le=MAX_PROCESSES)
    connections: int = Field(default=DEFAULT_CONNECTIONS, ge=MIN_CONNECTIONS, le=MAX_CONNECTIONS)
    quota: int = NO_QUOTA
    internet: Internet = "all"
    messages_per_hour: int = Field(default=DEFAULT_MESSAGES_PER_HOUR, ge=1)
    network: int = 0
    node: str = ""
    copies: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    volume: str = ""
    was: str = ""
    restoring: str = ""
    replaced: str = ""
    ssh_keys: tuple[str, ...] = ()
    expires: datetime | None = None
    frozen: datetime | None = None
    image: str = ""
    image_before: str = ""
    deleted: datetime | None = None
    purge: bool = False
    keep_backups: bool = False

    @field_validator("quota")
    @classmethod
    def _none_or_enough(cls, quota: int) -> int:
        if quota != NO_QUOTA and quota < MIN_QUOTA:
            raise ValueError(f"a quota is {NO_QUOTA} or at least {MIN_QUOTA}")
        return quota

    @field_validator("ssh_keys")
    @classmethod
    def _one_a_line(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_ssh_key(key) for key in keys):
            raise ValueError("an SSH key is one line, of a type and what it is")
        return keys

    def another(self, name: str, **own: object) -> "Account":
        """A new account that may do what this one may; what this one is and has, and where, is not the new one's.

        Args:
            name: of the new one.
            own: what it has otherwise than one that is made this moment.
        """
        fresh = {"id": new_id(), "name": name, "created": now()}
        return Account.model_validate(self.model_dump(include=_ALLOWED) | fresh | own)

    def fqdn(self, domain: str) -> str:
        """The account's subdomain."""
        return f"{self.name}.{domain}"

    def canonical(self, domain: str) -> str:
        """The account's canonical address."""
        return addresses.canonical(self.name, domain)

    def short(self, domain: str) -> str:
        """The account's short address."""
        return addresses.short(self.name, domain)


def is_ssh_key(line: str) -> bool:
    """Whether it looks like a public SSH key, and is nothing more than one line of a file of such (sshd(8))."""
    return line.isprintable() and len(line.split()) > 1


class Alias(_Record):
    """A shared address of the organisation.

    Attributes:
        local_part: the part before `@DOMAIN`.
        accounts: ids of accounts, each perhaps with a `+tag`. Not names: whoever gets the name of an account that was
            deleted does not get its place here.
        targets: local parts of other aliases, perhaps with a `+tag`, or addresses elsewhere.
        send: its accounts may write as it.
    """

    local_part: str
    accounts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    send: bool = False

    @model_validator(mode="after")
    def _stands_for_something(self) -> "Alias":
        if not self.accounts and not self.targets:
            raise ValueError("an alias stands for something")
        return self


class Node(_Record):
    """A machine of a Swarm that the control plane reaches over SSH; the one it runs on needs no record.

    Attributes:
        name: the machine's host name, by which the Swarm knows it.
        target: `USER@ADDRESS`, as for ssh(1).
        port: of its SSH server.
        host_keys: public lines of that server's keys.
    """

    name: str
    target: str
    port: int = 22
    host_keys: tuple[str, ...]
    added: datetime


class ChoreDone(_Record):
    """How one chore went.

    Attributes:
        last: when it was done well the last time.
        problem, hint: what was wrong since and what to do; empty when all is well.
    """

    last: datetime | None = None
    problem: str = ""
    hint: str = ""


class Tended(_Record):
    """What `mailpod tend` did last.

    Attributes:
        at: when; None when it never ran.
        chores: by name, how each went.
    """

    at: datetime | None = None
    chores: dict[str, ChoreDone] = {}

    def stale(self, moment: datetime) -> bool:
        """Whether it was so long ago that nobody seems to run it."""
        return self.at is None or moment - self.at > TENDED_EVERY
