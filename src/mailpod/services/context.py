"""What every use case works with: one system's state folder, its engine and its keys."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mailpod.engine.port import Engine
from mailpod.model import layout
from mailpod.model.archive import File
from mailpod.model.certificate import Certificate
from mailpod.model.dkim import DkimRecord, SigningKeys, records
from mailpod.model.errors import MailpodError
from mailpod.model.identity import Identity
from mailpod.model.records import Account, Alias, System
from mailpod.model.secondary import ALGORITHM, Secondary
from mailpod.model.spec import WorkloadSpec
from mailpod.model.tables import sends_as
from mailpod.services.channel import Channel
from mailpod.services.images import of_account
from mailpod.store import Store

if TYPE_CHECKING:
    from mailpod.services.acme import AcmeServer
    from mailpod.services.certificates import Certificates
    from mailpod.services.keys import Keys
    from mailpod.services.lookup import Resolver
    from mailpod.services.nameserver import Key, Nameserver
    from mailpod.services.signing import Signing


@dataclass
class Context:
    """One system at work.

    Attributes:
        store: its state folder.
        instance: prefix of everything it has on the engine.
        connect: gives the engine; called when it is first needed, so that bad input is refused without one.
        progress: told what is being done, a line at a time.
        engine_is_here: false when somebody named an engine, whose addresses and ports may be another machine's.
    """

    store: Store
    instance: str
    connect: Callable[[], Engine]
    progress: Callable[[str], None]
    engine_is_here: bool = True

    @cached_property
    def engine(self) -> Engine:
        """The engine; raises `EngineUnreachable` when none answers or it is too old."""
        engine = self.connect()
        engine.info()
        return engine

    @cached_property
    def guarded(self) -> bool:
        """Whether the engine lets nothing through to an IPv6 address unless it is told to."""
        return self.engine.info().guards_ipv6

    @cached_property
    def system(self) -> System:
        """The installation in the state folder; raises `NotFound` before the first `up`."""
        system = self.store.system()
        if system.instance != self.instance:
            raise MailpodError(
                f"{self.store.folder} belongs to the instance {system.instance!r}, not {self.instance!r}",
                f"say --instance {system.instance}",
            )
        return system

    def beside(self) -> "Context":
        """The same system for another thread, with a connection to the engine of its own: the SDK's is for one."""
        other = replace(self)
        other.__dict__.update({name: one for name, one in self.__dict__.items() if name != "engine"})
        return other

    def adopt(self, system: System) -> None:
        """Write the installation, and work with it from now on."""
        self.store.save_system(system)
        self.look_again()

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Hold a lock of the state folder, as its `lock` does, and work on the engine that the system is on.

        Raises:
            MailpodError: like `Store.lock`; or while this command waited, another one has brought it to another engine.
        """
        with self.store.lock(name, shared=shared):
            there = self.store.find_system()
            if there and there.engine != self.system.engine:
                raise MailpodError(f"{there.domain} was brought to another engine meanwhile", "try again")
            yield

    def look_again(self) -> None:
        """Read the installation anew when it is asked for next: another command may have changed it."""
        before = self.__dict__.pop("system", None)
        self.__dict__.pop("aliases", None)
        if before and before.engine != self.system.engine:
            for name in ("engine", "guarded"):
                self.__dict__.pop(name, None)

    def require_system(self) -> None:
        """Refuse what needs a system before there is one; raises like `system`."""
        _ = self.system

    @cached_property
    def keys(self) -> "Keys":
        """The system's keys; only who needs them waits for the library behind them."""
        from mailpod.services.keys import Keys

        return Keys(self.store, self.system.domain)

    @cached_property
    def signing(self) -> "Signing":
        """The keys that mail is signed with."""
        from mailpod.services.signing import Signing

        return Signing(self.store)

    @staticmethod
    def new_signing_keys() -> SigningKeys:
        """Keys that are nobody's yet; takes a processor a tenth of a second, or three."""
        from mailpod.services.signing import generate

        return generate()

    def signers(self) -> dict[str, str]:
        """By domain, whose keys its mail is signed with: main's, or those of an account, by id."""
        domain = self.system.domain
        return {domain: "main", **{account.fqdn(domain): account.id for account in self.store.accounts()}}

    def signing_keys(self) -> dict[str, SigningKeys]:
        """By domain, the keys of the organisation and of every account, made where they are missing."""
        return {domain: self.signing.keys(owner) for domain, owner in self.signers().items()}

    def dkim_records(self) -> list[DkimRecord]:
        """What the DNS has to say of these keys."""
        return records(self.signing_keys())

    def forget_keys(self, account: Account) -> None:
        """Remove all keys of an account that is gone."""
        self.keys.forget(account.id)
        self.signing.forget(account.id)
        self.certificates.forget(account.id)

    @cached_property
    def nameserver(self) -> "Nameserver":
        """The system's own name server."""
        from mailpod.services.nameserver import Key

        return self.nameserver_for(Key("control", ALGORITHM, self.keys.dns_secret()))

    def nameserver_for(self, key: "Key") -> "Nameserver":
        """The same as it is for whoever has that key."""
        from mailpod.services.nameserver import Nameserver

        system = self.system
        return Nameserver(system.local_address(), system.dns_port(), system.domain, key)

    @cached_property
    def public_dns(self) -> "Resolver":
        """What the world is told, as the resolver says that main asks too; raises `MailpodError` if there is none."""
        from mailpod.services.lookup import Resolver

        return Resolver(self.system.resolver)

    def secondaries(self) -> list[Secondary]:
        """The secondary name servers, with their keys."""
        known = self.system.secondaries.items()
        return [Secondary(name, addresses, self.keys.secondary_secret(name)) for name, addresses in known]

    @property
    def is_public(self) -> bool:
        """Whether everybody trusts the certificate that main shows others, and may insist on it."""
        from mailpod.services.certificates import is_public
        from mailpod.services.resolving import authorities

        return is_public(self.main_certificate, self.system, authorities(self.store))

    @property
    def main_fingerprint(self) -> str:
        """SHA-256 of main's TLS public key, as Postfix prints it."""
        from mailpod.services.keys import fingerprint

        return fingerprint(self.main_identity)

    @cached_property
    def main_identity(self) -> Identity:
        """Main's keys."""
        return self.keys.identity("main", layout.main_names(self.system))

    @cached_property
    def channel(self) -> Channel:
        """The way into main and the accounts."""
        return Channel(self.system, self.keys.operator()[0], self.main_identity.ssh_host_public)

    def account_identity(self, account: Account) -> Identity:
        """An account's keys, made when they are missing."""
        return self.keys.identity(account.id, layout.account_names(self.system, account))

    @cached_property
    def aliases(self) -> list[Alias]:
        """Every alias, read once for all accounts; `look_again` forgets them."""
        return self.store.aliases()

    @cached_property
    def certificates(self) -> "Certificates":
        """What clients see."""
        from mailpod.services.certificates import Certificates

        return Certificates(self.store, self.keys)

    @cached_property
    def acme(self) -> "AcmeServer":
        """Who is asked for certificates."""
        from mailpod.services.acme import AcmeServer

        system = self.system
        key = self.certificates.acme_account().key
        return AcmeServer(system.acme_server, system.acme_email, key, system.acme_ca, system.domain)

    @property
    def main_certificate(self) -> Certificate:
        """What main's clients see; at first with the key that other mail servers have seen so far."""
        return self.certificates.of("main", layout.main_public_names(self.system), self.main_identity.tls_key)

    def account_certificate(self, account: Account) -> Certificate:
        """What clients of an account see who connect to it directly."""
        return self.certificates.of(account.id, (account.fqdn(self.system.domain),))

    def main_tls_files(self) -> list[File]:
        """What main proves itself with."""
        from mailpod.services.certificates import shown

        return layout.tls_files(self.main_identity, shown(self.main_certificate, self.system), self.keys.authority())

    def rotate(self, account: Account) -> None:
        """Give an account other keys toward main; in force once main has its tables and the account its files."""
        self.keys.rotate(account.id, layout.account_names(self.system, account))

    def account_files(self, account: Account) -> list[File]:
        """The files an account has from the control plane."""
        from mailpod.services.certificates import shown

        return layout.account_files(
            account,
            self.account_identity(account),
            shown(self.account_certificate(account), self.system),
            self.keys.authority(),
            self.keys.operator()[1],
            self.main_fingerprint,
            sends_as(self.system, account, self.aliases),
        )

    def account_spec(self, account: Account) -> WorkloadSpec:
        """The container an account is to have."""
        return layout.account_spec(self.system, account, of_account(account), guarded=self.guarded)
