"""What the volumes of a system, and the engine, tell of it while no state folder does."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Network

from pydantic import ValidationError

from mailpod.engine.port import Engine
from mailpod.model import layout, relay_host, state_copy
from mailpod.model.errors import MailpodError
from mailpod.model.records import DEFAULT_STACK, FILTERS, Account, System, is_ssh_key, now
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_ROLE, Network
from mailpod.model.state_copy import StateCopy
from mailpod.services.images import ACCOUNT

_TABLES = "etc/tables"
_SIGNING = "rspamd/keys"
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
_OF_ACCOUNT = (layout.ACCOUNT_RECORD, "etc/ssh", "etc/stack", layout.RESTORED)


@dataclass(frozen=True)
class FoundAccount:
    """An account's volume.

    Attributes:
        account: as its volume tells it; on record nowhere else, perhaps.
        state: of its container, as `Workload` has it; empty when it has none.
        begun: its servers have run on it.
        ssh_host_key, ssh_host_public: both parts of its SSH host key; empty when it has none.
    """

    account: Account
    state: str
    begun: bool
    ssh_host_key: str
    ssh_host_public: str


@dataclass(frozen=True)
class Salvage:
    """All that could be found of a system.

    Attributes:
        copy: what main kept of the desired state; None when it has none.
        tables: main's other tables that are of use, by path.
        accounts: by the names of their volumes. Of those with the same id the last one has taken the others' place.
    """

    copy: StateCopy | None
    tables: Mapping[str, str]
    accounts: dict[str, FoundAccount]


def salvage(engine: Engine, instance: str) -> Salvage:
    """Read all volumes of a system that can be reached; nothing is changed.

    Raises:
        MailpodError: main's copy of the state cannot be understood, or the engine does not let a volume be read.
    """
    tables = _tables(engine, instance)
    text = tables.get(state_copy.TABLE)
    try:
        copy = StateCopy.model_validate_json(text) if text else None
    except ValidationError as error:
        raise MailpodError(
            f"main's copy of the state is another mailpod's: {error.errors()[0]['msg']}",
            "use the mailpod that the system was made with",
        ) from error
    return Salvage(copy, tables, accounts(engine, instance))


def _tables(engine: Engine, instance: str) -> dict[str, str]:
    spec = layout.volume_spec(instance, layout.main_container(instance), "main", ACCOUNT[DEFAULT_STACK].tag)
    if spec.volume not in engine.volumes(instance):
        return {}
    wanted = (state_copy.TABLE, _SIGNING, relay_host.AUTHORITY, relay_host.PASSWORD)
    found = engine.read_files(spec, [f"{_TABLES}/{path}" for path in wanted])
    return {path.removeprefix(f"{_TABLES}/"): content.decode() for path, content in found.items()}


def accounts(engine: Engine, instance: str, but: Collection[str] = ()) -> dict[str, FoundAccount]:
    """By the names of their volumes, the accounts that have one, but those of some volumes; the newest last."""
    volumes = {
        name: labels
        for name, labels in engine.volumes(instance).items()
        if labels.get(LABEL_ROLE) == "account" and labels.get(LABEL_ID) and name not in but
    }
    states = {one.labels.get(LABEL_ID): one.state for one in engine.workloads(instance)}
    found = {}
    for volume, labels in volumes.items():
        account = _account(engine, instance, volume, labels)
        if account:
            found[volume] = replace(account, state=states.get(labels[LABEL_ID], ""))
    # A restoring's volume has the account's first name and the time; until it is whole, no servers run on it.
    return dict(sorted(found.items(), key=lambda item: (item[1].begun, len(item[0]), item[0])))


def _account(engine: Engine, instance: str, volume: str, labels: Mapping[str, str]) -> FoundAccount | None:
    """The account of a volume; None while the machine that has it cannot be reached."""
    for node in engine.up():
        spec = layout.volume_spec(instance, volume, labels[LABEL_ID], ACCOUNT[DEFAULT_STACK].tag, node)
        if engine.holds(spec):
            break
    else:
        return None
    files = {path: content.decode(errors="replace") for path, content in engine.read_files(spec, _OF_ACCOUNT).items()}
    told = _record(files) or Account(
        id=labels[LABEL_ID],
        name=labels[LABEL_ACCOUNT],
        created=now(),
        stack=next((stack for stack in FILTERS if stack == files.get("etc/stack", "").strip()), DEFAULT_STACK),
        ssh_keys=tuple(filter(is_ssh_key, files.get("etc/ssh/user_keys", "").splitlines())),
    )
    # What the engine says of it counts: an account cannot call itself another, nor ask for what is the control plane's.
    own = told.another(
        labels[LABEL_ACCOUNT], id=labels[LABEL_ID], created=told.created, expires=told.expires, node=node
    )
    if layout.account_volume(instance, own) != volume:
        own = own.model_copy(update={"volume": volume})
    begun = layout.RESTORED not in files
    public = files.get(f"{_HOST_KEY}.pub", "").strip()
    return FoundAccount(own, "", begun, files.get(_HOST_KEY, ""), public if is_ssh_key(public) else "")


def _record(files: Mapping[str, str]) -> Account | None:
    with contextlib.suppress(ValidationError):
        return Account.model_validate_json(files.get(layout.ACCOUNT_RECORD, ""))
    return None


def as_networked(engine: Engine, system: System) -> System:
    """A system with the addresses of the networks that the engine has of it."""
    there = {one.name: one for one in engine.networks()}
    four: list[str] = []
    first: Network | None = None
    while one := there.get(layout.network_name(system.instance, len(four))):
        four.append(next(subnet for subnet in one.subnets if ":" not in subnet))
        first = first or one
    six = next((subnet for subnet in first.subnets if ":" in subnet), None) if first else None
    if not (first and six):
        return system
    # The first network has the first /80 of the prefix; a longer prefix than /64 is a /80 itself.
    wide = IPv6Network(six).supernet(new_prefix=64)
    prefix = wide if wide.network_address == IPv6Network(six).network_address else IPv6Network(six)
    return system.model_copy(update={"networks": tuple(four), "ipv6_subnet": str(prefix), "ipv6_routed": first.routed})
