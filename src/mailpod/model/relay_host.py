"""The relay host: a mail server of somebody else's, through which everything leaves that is for the outside."""

import unicodedata
from collections.abc import Mapping
from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict

from mailpod.model import names
from mailpod.model.errors import InvalidInput
from mailpod.model.records import RELAY_PORT, System

_WRAPPED = 465
_LONGEST = 253
AUTHORITY = "postfix/relay_host_ca.pem"
PASSWORD = "relay_host/password"  # noqa: S105  (a path)
_TABLES = "/data/etc/tables"
_HINT = "give a host name, smtp.example.net or smtp.example.net:587, or an IP address"


class RelayCredentials(BaseModel):
    """What main proves itself with to the relay host, and the host to main.

    Attributes:
        password: empty for a host that knows main by its address.
        authority: certificates, PEM, one of which signs the host's; empty for the public authorities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    password: str = ""
    authority: str = ""


def host_and_port(text: str) -> tuple[str, int]:
    """A host, by name or by address, and the port that follows it after a colon, `RELAY_PORT` if none does.

    An IPv6 address that is followed by a port is in brackets.

    Raises:
        InvalidInput: it is no host, or one that is this machine to whoever asks, or no port.
    """
    host, port = _split(text.strip().lower())
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise InvalidInput(f"--relay-host {text!r} has no port that could be", "give one from 1 to 65535")
    if not (_is_address(host) or _is_name(host)):
        raise InvalidInput(f"--relay-host {text!r} is not a host", _HINT)
    return host, int(port)


def _split(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        # Without the bracket's end nothing is a port, nor behind it without a colon.
        return host, port.removeprefix(":") if port or not bracket else str(RELAY_PORT)
    if text.count(":") > 1:
        return text, str(RELAY_PORT)
    host, colon, port = text.partition(":")
    return host.removesuffix("."), port if colon else str(RELAY_PORT)


def _is_address(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or "%" in host)


def _is_name(host: str) -> bool:
    labels = host.split(".")
    return len(host) <= _LONGEST and len(labels) > 1 and all(map(names.is_label, labels)) and not labels[-1].isdigit()


def check_login(host: str, port: int, user: str, credentials: RelayCredentials) -> None:
    """Refuse what a relay host cannot be told, or must not.

    Raises:
        InvalidInput: there is one of user and password without the other; one has characters that Postfix's tables
            cannot hold; the password would go to somebody whose certificate cannot be checked.
    """
    password = credentials.password
    if user and not password:
        raise InvalidInput(f"there is no password for {user!r} at {host}", "give it with --relay-password-stdin")
    if password and not user:
        raise InvalidInput(f"there is a password for {host}, but no user", "name it with --relay-user NAME")
    if ":" in user or not _is_line(user):
        raise InvalidInput(f"--relay-user cannot be {user!r}", "use no colon, no blank at an end, no control character")
    if not _is_line(password):
        raise InvalidInput("the password has a blank at its end, or a line break", "give one line without them")
    if password and _is_address(host):
        raise InvalidInput(f"a password is not sent to {host}: certificates are for names", "give the host's name")
    if not password and credentials.authority:
        raise InvalidInput("--relay-ca is for hosts that get a password", "give --relay-user NAME, or leave it out")
    if not password and port == _WRAPPED:
        raise InvalidInput("port 465 is for those who log in", "give --relay-user NAME, or another port")


def _is_line(text: str) -> bool:
    """Whether text comes whole out of a table: a line, which Postfix trims, read as UTF-8."""
    return text == text.strip(" ") and not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in text)


def render(system: System, credentials: RelayCredentials) -> dict[str, str]:
    """Main's tables that lead what is for the outside, straight or to the relay host.

    Returns:
        Text by path below main's folder of tables.
    """
    where = f"[{system.relay_host}]:{system.relay_port}"
    secure = bool(credentials.password)
    service = ("submissions" if system.relay_port == _WRAPPED else "submission") if secure else "relay_host"
    # By the name alone: Postfix asks for that first, and takes no answer for a fault (master.cf).
    login = f"{system.relay_host} {system.relay_user}:{credentials.password}\n"
    # In place of the public authorities, not beside them.
    trust = f"{where} secure match=nexthop tafile={_TABLES}/{AUTHORITY}\n"
    return {
        "postfix/outward": f"outward {f'{service}:{where}' if system.relay_host else 'smtp:'}\n",
        "postfix/relay_host_tls": trust if credentials.authority else "",
        AUTHORITY: credentials.authority,
        PASSWORD: login if secure else "",
    }


def recovered(tables: Mapping[str, str]) -> RelayCredentials:
    """The credentials that `render` made tables of.

    Args:
        tables: text by path, as `render` gives it.
    """
    # No user has a colon.
    _, _, password = tables.get(PASSWORD, "").rstrip("\n").partition(":")
    return RelayCredentials(password=password, authority=tables.get(AUTHORITY, "") if password else "")
