"""A system whose engine, channel and file system are under a test's control."""

import copy
import functools
import os
import shutil
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from tests.fakes.acme import FakeAcme
from tests.fakes.channel import FakeChannel
from tests.fakes.engine import FakeEngine
from tests.fakes.nameserver import FakeNameserver
from tests.fakes.steps import Steps, count_writes
from tests.fakes.world import World

from mailpod.model import layout, relay_host, state_copy, web
from mailpod.model.dkim import SigningKey, SigningKeys
from mailpod.model.records import Account, Node, System, now
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_ROLE, Machine
from mailpod.model.tables import render
from mailpod.services import (
    accounts,
    dns,
    images,
    installation,
    passwords,
    planning,
    ports,
    resolving,
    signing,
    snapshots,
)
from mailpod.services import relay_host as relay_service
from mailpod.services.context import Context
from mailpod.services.nameserver import sets
from mailpod.services.state_copy import current
from mailpod.store import Store

DOMAIN = "example.org"
PASSWORD = "correct horse"
KEYS = {
    "etc/tls/key.pem",
    "etc/tls/cert.pem",
    "etc/tls/shown.pem",
    "etc/relay/sasl_passwd",
    "etc/quota",
    "dovecot/relay",
    "quota/accounts",
}


_parsed = functools.lru_cache(maxsize=4096)(tomllib.loads)
_loaded = functools.lru_cache(maxsize=4096)(x509.load_pem_x509_certificate)
_render = web.render
_pages: dict[tuple[str, bool], dict[str, str]] = {}


def _rendered(system: System, *, public: bool = False) -> dict[str, str]:
    asked = (repr(system), public)
    if asked not in _pages:
        _pages[asked] = _render(system, public=public)
    return _pages[asked]


def _nothing(*_anything: object) -> None:
    pass


def signing_keys(number: int = 0) -> SigningKeys:
    """Keys that sign nothing, all of a number known by it."""
    keys = (
        SigningKey(selector=f"{kind}-{number}", algorithm=kind, private="cHJpdmF0ZQ==", public="cHVibGlj")
        for kind in ("rsa", "ed25519")
    )
    return SigningKeys(keys=tuple(keys))


class FakeSystem:
    """One installation: a state folder and a `World`; each `process` works on both and may be killed.

    Attributes:
        said: what was told as progress.
        engine: what the first `up` is told of.
        dns: likewise, who serves the zone.
        acme: who is asked for certificates.
    """

    def __init__(self, folder: Path, instance: str = "mailpod", world: World | None = None) -> None:
        self.folder = folder
        self.instance = instance
        self.world = world or World()
        for image in (images.MAIN, images.DNS, images.ANTIVIRUS, images.BACKUP, *images.ACCOUNT.values()):
            self.world.images[image.tag] = ""
        self.store = Store(folder)
        self.said: list[str] = []
        self.acme = FakeAcme()
        self.engine = "docker"
        self.dns = "elsewhere"

    def process(self, step: Steps | None = None) -> Context:
        """A fresh process: nothing cached, everything read anew."""
        taken = step or Steps()
        store = Store(self.folder)

        def connect() -> FakeEngine:
            there = store.find_system()
            swarm = there.engine == "swarm" if there else self.engine == "swarm"
            return FakeEngine(self.world, taken, "swarm" if swarm else "fake")

        context = Context(store, self.instance, connect, self.said.append)
        context.__dict__["channel"] = FakeChannel(self.world, self.instance, taken)
        context.__dict__["acme"] = self.acme
        context.__dict__["public_dns"] = SimpleNamespace(ask=lambda *key: self.world.public.get(key, set()))
        context.__dict__["nameserver"] = FakeNameserver(self.world, self.instance, taken)
        context.__dict__["nameserver_for"] = lambda _key: context.nameserver
        return context

    def planned(self, domain: str = DOMAIN, **options: object) -> System:
        """What `up` would be given."""
        first = {} if self.store.find_system() else {"engine": self.engine, "dns": self.dns}
        return planning.planned(self.store, domain, self.instance, **first | options)

    def up(self, *names: str) -> "FakeSystem":
        """Start it, with accounts."""
        context = self.process()
        installation.up(context, self.planned())
        for name in names:
            accounts.create(context, name, PASSWORD)
        return self

    def up_on_swarm(self, *names: str, nodes: tuple[str, ...] = ("node1", "node2", "node3")) -> "FakeSystem":
        """Start it on a Swarm of these machines, with accounts on the first."""
        self.engine, self.world.swarm = "swarm", "manager"
        self.world.machines = [
            Machine(name, "ready", "2026-01-01T00:00:00Z", "worker", "1", 8 << 30, name == nodes[0], name)
            for name in nodes
        ]
        for name in nodes[1:]:
            self.store.save_node(Node(name=name, target="root@192.0.2.2", host_keys=(), added=now()))
        context = self.process()
        installation.up(context, self.planned())
        for name in names:
            accounts.create(context, name, PASSWORD, node=nodes[0])
        return self

    def pull(self, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        """Let the sources be of a version whose images are all called so, and are built."""
        monkeypatch.setattr(images.Image, "name", property(lambda image: f"{image.repository}:{version}"))
        for image in (images.MAIN, images.DNS, *images.ACCOUNT.values()):
            self.world.images[image.tag] = ""

    def paste(self) -> None:
        """The operator copies the zone to whoever serves it elsewhere."""
        self.world.public = dict(sets(dns.records(self.process())))

    def id_of(self, name: str) -> str:
        """The id of an account."""
        return self.store.account(name).id

    def backups_of(self, name: str) -> int:
        """How many backups there are of an account."""
        return len(snapshots.of(self.process(), self.id_of(name)))

    def files_of(self, account: Account) -> dict[str, bytes]:
        """What lies on an account's volume."""
        volume = self.world.volumes[self.world.key(layout.account_volume(self.instance, account), account.node)]
        return {path: file.content for path, file in volume.files.items()}

    def tables(self) -> dict[str, str]:
        """The tables main has."""
        files = self.world.volumes[layout.main_container(self.instance)].files
        prefix = "etc/tables/"
        return {p.removeprefix(prefix): f.content.decode() for p, f in files.items() if p.startswith(prefix)}

    def state_but_keys(self) -> SimpleNamespace:
        """Everything but what accounts prove themselves with to main: that is new with each container."""
        state = self.state()
        for files in (*state.volumes.values(), state.tables, state.folder):
            for path in KEYS & files.keys() | {
                path for path in files if "/identities/" in path or "/certificates/" in path
            }:
                files[path] = None
        return state

    def state(self) -> SimpleNamespace:
        """Everything there is, to be compared: a volume by what is on it, main's own by its tables."""
        main = layout.main_container(self.instance)
        return SimpleNamespace(
            containers={
                n: (c.image, tuple(sorted(c.labels.items())), c.state) for n, c in self.world.containers.items()
            },
            volumes={n: dict(v.files) for n, v in self.world.volumes.items() if n != main},
            networks=dict(self.world.networks),
            tables=self.tables() if main in self.world.volumes else {},
            folder={
                str(path.relative_to(self.folder)): path.read_bytes()
                for path in self.folder.rglob("*")
                if path.is_file() and path.name not in {".lock", ".tables"}
            },
        )

    def check_converged(self) -> None:
        """Desired and observed state are the same, and nothing lies about that belongs to nobody."""
        context = self.process()
        wanted = {a.name: a for a in self.store.accounts()}
        observed = {
            c.labels[LABEL_ACCOUNT]: (name, c)
            for name, c in self.world.containers.items()
            if c.labels.get(LABEL_ROLE) == "account"
        }
        may_run = {name for name, account in wanted.items() if not account.frozen}
        assert may_run <= observed.keys() <= wanted.keys()
        assert not [
            n for n in observed.keys() - may_run if observed[n][1].state == "running" or observed[n][1].comes_up
        ]
        for name in may_run:
            account = wanted[name]
            container, item = observed[name]
            assert container == layout.account_container(self.instance, name)
            assert (item.state, item.labels[LABEL_ID]) == ("running", account.id)
            assert (item.kind == "swarm") == bool(account.node) == (context.system.engine == "swarm")
            assert item.labels["mailpod.spec"] == context.account_spec(account).digest()
            expected = {file.path: file.content for file in context.account_files(account)}
            there = self.files_of(account)
            assert {path: there.get(path) for path in expected} == expected
        on_record = set()
        for account in (*wanted.values(), *self.store.deleted()):
            assert (account.copies, account.restoring, account.replaced) == ((), "", "")
            volume = layout.account_volume(self.instance, account)
            on_record |= {self.world.key(volume, node) for node in (account.node, *account.kept)}
        assert not self.world.helpers
        roles = {name: one.labels.get(LABEL_ROLE) for name, one in self.world.volumes.items()}
        assert {name for name, role in roles.items() if role == "account"} == on_record
        assert not any(a.purge for a in self.store.deleted())
        ids = {a.id for a in wanted.values()}
        assert {"main", *ids} <= self.signers()
        secrets = context.keys.relay_secrets(ids)
        keys = context.signing_keys()
        rendered = render(context.system, wanted.values(), self.store.aliases(), secrets, keys, self.store.deleted())
        relay = relay_service.credentials(self.store, context.system)
        rendered |= relay_host.render(context.system, relay)
        found = resolving.tables(self.store, context.system)
        kept = {state_copy.TABLE: current(context, context.system).text()}
        assert self.tables() == rendered | found | web.render(context.system, public=context.is_public) | kept
        kept = {path.stem for path in (self.folder / "secrets" / "relay_host").glob("*.toml")}
        assert kept == {context.system.relay_credentials} - {""}
        if context.system.dns == "built-in":
            assert self.world.zones[layout.nameserver_container(self.instance)] == sets(dns.records(context))

    def signers(self) -> set[str]:
        """Names of the files of signing keys in the state folder."""
        return {path.stem for path in (self.folder / "secrets" / "dkim").glob("*.toml")}

    def identities(self) -> set[str]:
        """Names of the identities in the state folder."""
        return {path.stem for path in (self.folder / "secrets" / "identities").glob("*.toml")}


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    """A system that is not there yet."""
    monkeypatch.setattr(ports, "check", _nothing)
    # Whether the disk has it is `test_store`'s to see; here it only takes time.
    monkeypatch.setattr(os, "fsync", _nothing)
    # Hashing every file of the images takes longer than all the rest.
    monkeypatch.setattr(images.Image, "name", property(lambda image: f"{image.repository}:made-up"))
    # As slow as a password is to be checked, for every account of every test.
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "_YESCRYPT_COST", 1)
    # An RSA key takes a tenth of a second.
    numbers = count()
    # What follows from its arguments alone, and is asked for over and over.
    monkeypatch.setattr(tomllib, "loads", _parsed)
    monkeypatch.setattr(x509, "load_pem_x509_certificate", _loaded)
    monkeypatch.setattr(web, "render", _rendered)
    monkeypatch.setattr(signing, "generate", lambda: signing_keys(next(numbers)))
    return FakeSystem(tmp_path / "state")


def fresh_copies(system: FakeSystem, folder: Path) -> Iterator[tuple[int, FakeSystem]]:
    """Fresh copies of a system in a folder, numbered from 1, one for every step at which it is to crash."""
    for number in count(1):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(system.folder, folder)
        yield number, FakeSystem(folder, world=copy.deepcopy(system.world))


def counting(monkeypatch: pytest.MonkeyPatch, system: FakeSystem) -> Steps:
    """Steps of engine, channel and state folder together."""
    steps = Steps()
    count_writes(monkeypatch, system.folder, steps)
    return steps
