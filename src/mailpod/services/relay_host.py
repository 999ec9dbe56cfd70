"""The relay host: what `up` is told of it, and what is kept of that beside the record of the system.

secrets/relay_host/ID.toml   password and authority; the record of the system names the one that counts, so that
                             both change in one step
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from mailpod.model import layout
from mailpod.model.errors import InvalidInput, MailpodError
from mailpod.model.records import RELAY_PORT, System, new_id
from mailpod.model.relay_host import RelayCredentials, check_login, host_and_port
from mailpod.store import Store, write_durably


@dataclass(frozen=True)
class RelayOptions:
    """What `up` was told; None for what it was not.

    Attributes:
        host: `HOST` or `HOST:PORT`; `none` for no relay host any more.
        authority: certificates, PEM; empty for the public authorities again.
    """

    host: str | None = None
    user: str | None = None
    password: str | None = None
    authority: str | None = None


def planned(store: Store, system: System, options: RelayOptions) -> tuple[System, RelayCredentials | None]:
    """The installation with the relay host that was asked for, and new credentials to be kept with it, if any.

    What is not said is as it was. Only the host that a password was given for gets it.

    Args:
        system: as it is to be otherwise.

    Raises:
        InvalidInput: this cannot be a relay host, or there is none.
    """
    if options == RelayOptions():
        return system, None
    if options.host == "none":
        if options != RelayOptions("none"):
            raise InvalidInput("--relay-host none goes with no other --relay option", "leave the others out")
        return _with(system, "", RELAY_PORT, "", ""), None
    if options.host is None and not system.relay_host:
        raise InvalidInput("there is no relay host yet", "name it with --relay-host HOST")
    host, port = (system.relay_host, system.relay_port) if options.host is None else host_and_port(options.host)
    if host in {system.domain, *layout.main_names(system), *layout.public_addresses(system)}:
        raise InvalidInput(f"{host} is this system itself", "name another host, or none")
    same = host == system.relay_host
    before = (_find(store, system) if same else None) or RelayCredentials()
    user = (system.relay_user if same else "") if options.user is None else options.user
    known = before.password if user == system.relay_user or options.user is None else ""
    credentials = RelayCredentials(
        password=known if options.password is None else options.password,
        authority=before.authority if options.authority is None else options.authority,
    )
    if options.password == "":
        raise InvalidInput("the password is empty", "give it on standard input")
    check_login(host, port, user, credentials)
    if credentials == RelayCredentials():
        return _with(system, host, port, user, ""), None
    if credentials == before:
        return _with(system, host, port, user, system.relay_credentials), None
    return _with(system, host, port, user, new_id()), credentials


def _with(system: System, host: str, port: int, user: str, credentials: str) -> System:
    return system.model_copy(
        update={"relay_host": host, "relay_port": port, "relay_user": user, "relay_credentials": credentials}
    )


def credentials(store: Store, system: System) -> RelayCredentials:
    """What the system has for its relay host.

    Raises:
        MailpodError: it is gone.
    """
    found = _find(store, system)
    if found is None:
        raise MailpodError(
            f"the password for the relay host is gone from {_folder(store)}",
            f"give it again: mailpod up {system.domain} --relay-user {system.relay_user} --relay-password-stdin",
        )
    return found


def _find(store: Store, system: System) -> RelayCredentials | None:
    if not system.relay_credentials:
        return RelayCredentials()
    path = _path(store, system)
    return RelayCredentials.model_validate(tomllib.loads(path.read_text())) if path.exists() else None


def kept(store: Store, system: System) -> bool:
    """Whether what the record of the system names is there."""
    return _path(store, system).exists()


def save(store: Store, system: System, given: RelayCredentials) -> None:
    """Keep credentials under the name that the record of the system is to have for them."""
    write_durably(_path(store, system), tomli_w.dumps(given.model_dump()).encode(), 0o600)


def forget_others(store: Store) -> None:
    """Remove what the record of the system does not name: it was replaced, or an `up` with it did not succeed."""
    with store.lock():
        current = store.system().relay_credentials
        for path in _folder(store).glob("*.toml"):
            if path.stem != current:
                path.unlink()


def _folder(store: Store) -> Path:
    return store.secrets / "relay_host"


def _path(store: Store, system: System) -> Path:
    return _folder(store) / f"{system.relay_credentials}.toml"
