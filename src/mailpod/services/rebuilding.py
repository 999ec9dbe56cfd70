"""Writing a state folder anew that was lost, from what main kept of it and from the volumes of accounts.

Mail, passwords, UIDs, addresses and what waits in queues lie on volumes, which nothing here writes on. Keys that lay in
the folder alone are new ones, so every container is made anew to know them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mailpod.engine.port import Engine
from mailpod.model import layout, names, relay_host
from mailpod.model.errors import InvalidInput, MailpodError, NotFound
from mailpod.model.records import DEFAULT_STACK, Account, System, now
from mailpod.model.relay_host import RelayCredentials
from mailpod.model.spec import LABEL_ID
from mailpod.services import copies, held_images, images, installation, planning, signing
from mailpod.services import relay_host as relay_service
from mailpod.services.channel import Refused
from mailpod.services.context import Context
from mailpod.services.keys import Keys
from mailpod.services.reconcile import main_runs
from mailpod.services.salvage import FoundAccount, Salvage, accounts, as_networked, salvage
from mailpod.services.signing import Signing
from mailpod.store import Store, write_durably

_SIGNING = "rspamd/keys"


@dataclass
class Rebuilt:
    """What was written.

    Attributes:
        accounts, deleted: names of accounts of which there is a record now and was none before.
        unknown: what could not be known, and what to do about each, a line each.
    """

    accounts: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def rebuild(context: Context, domain: str | None) -> Rebuilt:
    """Write what the state folder lacks of the system that is on the engine, and bring that up with it.

    In a folder that lacks nothing but accounts, whose volumes are there, only their records are written. What is
    interrupted is ended by doing it again.

    Args:
        domain: of the system; needed only where main has kept no copy of the state.

    Raises:
        NotFound: the engine has nothing of this instance.
        InvalidInput: the domain is another system's, or needed.
        MailpodError: the engine refused, or an account could not be brought up; what was found is on record.
    """
    if domain:
        names.domain(domain)
    if not (context.engine.volumes(context.instance) or context.engine.workloads(context.instance)):
        raise NotFound(f"the engine has nothing of an instance {context.instance!r}", "see: docker volume ls")
    images.ensure_images(context.engine, context.progress, [images.ACCOUNT[DEFAULT_STACK]])
    if _whole(context):
        return _adopt_accounts(context)
    context.progress("reading what the volumes tell")
    found = salvage(context.engine, context.instance)
    system = held_images.with_images(context, _system(context, found, domain))
    rebuilt = Rebuilt()
    with context.store.lock():
        context.progress("writing the state folder")
        live, kept = _sorted_out(context.store, system, found, rebuilt)
        _write_keys(context.store, system, found, live, kept, rebuilt)
        _write_records(context.store, found, live, kept)
        # They know keys that nobody has any more. Before there is a record of the system: what is cut short here is
        # begun again.
        context.progress("removing the containers, to make them anew with other keys")
        _remove_containers(context.engine, context.instance, {one.id for one in live if one.frozen})
        Keys(context.store, system.domain).operator()
        context.store.save_system(system)
    for name in ("engine", "system"):
        context.__dict__.pop(name, None)
    if system.running:
        installation.apply(context)
    return rebuilt


def _whole(context: Context) -> bool:
    """Whether the folder has a system, and keys that main knows."""
    if not context.store.find_system() or not (context.store.secrets / "operator_key").exists():
        return False
    # What was made of keys that are to be replaced is not kept.
    probe = context.beside()
    if main_runs(probe):
        try:
            probe.channel.main("queue")
        except Refused:
            return False
        except MailpodError:
            # What else is wrong with it, `apply` repairs.
            return True
    return True


def _adopt_accounts(context: Context) -> Rebuilt:
    """Put on record the accounts that have a volume and no record."""
    rebuilt = Rebuilt()
    system = context.system
    with context.store.lock():
        found = Salvage(None, {}, accounts(context.engine, context.instance, copies.on_record(context)))
        live, kept = _sorted_out(context.store, system, found, rebuilt)
        _adopt_identities(context.keys, system, [*live, *kept], found)
        _write_records(context.store, found, live, kept)
    if system.running:
        installation.apply(context)
    return rebuilt


def _system(context: Context, found: Salvage, domain: str | None) -> System:
    there = context.store.find_system() or (found.copy.system if found.copy else None)
    if there:
        if domain and names.domain(domain) != there.domain:
            raise InvalidInput(f"this is the system of {there.domain}, not {domain}", "leave the domain out")
        return there
    if not domain:
        raise InvalidInput("main has kept no copy of the state", "say the domain: mailpod rebuild DOMAIN")
    system = planning.planned(context.store, domain, context.instance)
    return as_networked(context.engine, system)


def _sorted_out(store: Store, system: System, found: Salvage, rebuilt: Rebuilt) -> tuple[list[Account], list[Account]]:
    """The accounts there are to be, and the deleted ones: by the folder, else by main's copy, else by their volumes."""
    live = {one.id: one for one in (found.copy.accounts if found.copy else ())}
    kept = {one.id: one for one in (found.copy.deleted if found.copy else ())}
    on_record = {one.id for one in (*store.accounts(), *store.deleted())}
    for one in store.accounts():
        live[one.id] = one
        kept.pop(one.id, None)
    for one in store.deleted():
        kept[one.id] = one
        live.pop(one.id, None)
    all_at_rest = not live and not any(there.state for there in found.accounts.values())
    known = {name for one in (*live.values(), *kept.values()) for name in layout.account_volumes(system.instance, one)}
    unknown = {volume: there for volume, there in found.accounts.items() if volume not in known}
    newest = {there.account.id: volume for volume, there in unknown.items()}
    for volume, there in sorted(unknown.items(), key=lambda item: item[1].account.created, reverse=True):
        account = there.account
        free = account.name not in {other.name for other in live.values()}
        if newest[account.id] != volume or account.id in live.keys() | kept.keys():
            aside = copies.as_it_was(account, volume)
            kept[aside.id] = aside
            rebuilt.unknown.append(f"what another volume of {account.name} was: it is kept as {aside.name}")
        elif free and there.state == "stopped":
            live[account.id] = account.model_copy(update={"frozen": now()})
            rebuilt.unknown.append(f"whether {account.name} was frozen: it is; mailpod account thaw {account.name}")
        elif free and (there.state or all_at_rest):
            live[account.id] = account
        else:
            kept[account.id] = account.model_copy(update={"deleted": now()})
            rebuilt.unknown.append(
                f"whether {account.name} was deleted: it is kept; mailpod account undelete {account.name}"
            )
    # What is on another machine of a Swarm cannot be seen yet.
    alone = found.copy and system.engine == "docker"
    gone = [one for one in live.values() if alone and _volume(system, one) not in found.accounts]
    for one in gone:
        del live[one.id]
        rebuilt.unknown.append(f"the mail of {one.name}: its volume is gone; bring it back from a backup")
    rebuilt.accounts += sorted(one.name for one in live.values() if one.id not in on_record)
    rebuilt.deleted += sorted(one.name for one in kept.values() if one.id not in on_record)
    return list(live.values()), list(kept.values())


def _write_keys(
    store: Store, system: System, found: Salvage, live: Iterable[Account], kept: Iterable[Account], rebuilt: Rebuilt
) -> None:
    """Keys that the volumes have, and new ones in place of those that were the folder's alone."""
    if not (store.secrets / "ca_key.pem").exists():
        (store.secrets / "ca.pem").unlink(missing_ok=True)
        rebuilt.unknown.append("the authority's key: there is a new one, for clients to trust; see: mailpod ca")
    keys = Keys(store, system.domain)
    if found.copy:
        copy = found.copy
        keys.adopt("main", copy.ssh_host_key, copy.ssh_host_public, layout.main_names(system))
    else:
        rebuilt.unknown.append("main's SSH host key: there is a new one, which users of the jump host are asked about")
    _adopt_identities(keys, system, [*live, *kept], found)
    owners = {system.domain: "main", **{one.fqdn(system.domain): one.id for one in live}}
    signed = signing.recovered(found.tables.get(_SIGNING, ""))
    for domain, owner in owners.items():
        if domain in signed:
            Signing(store).adopt(owner, signed[domain])
        elif not (store.secrets / "dkim" / f"{owner}.toml").exists():
            rebuilt.unknown.append(f"the signing keys of {domain}: there are new ones; see: mailpod dkim show")
    credentials = relay_host.recovered(found.tables)
    if credentials != RelayCredentials():
        relay_service.save(store, system, credentials)
    elif system.relay_credentials and not relay_service.kept(store, system):
        rebuilt.unknown.append(
            f"the password for the relay host: mailpod up {system.domain} --relay-user {system.relay_user}"
            " --relay-password-stdin"
        )
    if system.acme_email:
        rebuilt.unknown.append("the public certificates: others are ordered by mailpod tend, which runs every hour")
    if system.engine == "swarm":
        rebuilt.unknown.append("the way to other machines: add each again with mailpod node add, then mailpod apply")


def _adopt_identities(keys: Keys, system: System, people: Iterable[Account], found: Salvage) -> None:
    """By the SSH host key that is on its volume whoever knew an account knows it again."""
    for account in people:
        there: FoundAccount | None = found.accounts.get(_volume(system, account))
        if there and there.ssh_host_key and there.ssh_host_public:
            wanted = layout.account_names(system, account)
            keys.adopt(account.id, there.ssh_host_key, there.ssh_host_public, wanted)


def _volume(system: System, account: Account) -> str:
    return layout.account_volume(system.instance, account)


def _write_records(store: Store, found: Salvage, live: Iterable[Account], kept: Iterable[Account]) -> None:
    for account in live:
        store.save_account(account)
    for account in kept:
        store.save_deleted(account)
    if not found.copy:
        return
    there = {one.local_part for one in store.aliases()}
    for alias in found.copy.aliases:
        if alias.local_part not in there:
            store.save_alias(alias)
    for name, text in found.copy.own.items():
        if not (store.folder / name).exists():
            write_durably(store.folder / name, text.encode(), 0o600)


def _remove_containers(engine: Engine, instance: str, frozen: set[str]) -> None:
    """All but those that nobody may touch, whose log is kept in them."""
    for workload in engine.workloads(instance):
        if workload.labels.get(LABEL_ID) not in frozen:
            engine.remove(workload.name)
