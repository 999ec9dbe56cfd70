"""Turning what was typed into values; refused with exit code 2 when it cannot be."""

import getpass
import re
import socket
import sys
from datetime import timedelta
from pathlib import Path

from mailpod.cli import output
from mailpod.model.errors import InvalidInput
from mailpod.model.records import (
    MAX_CONNECTIONS,
    MAX_CPUS,
    MAX_PROCESSES,
    MIN_CONNECTIONS,
    MIN_CPUS,
    MIN_MEMORY,
    MIN_PROCESSES,
    MIN_QUOTA,
    NO_QUOTA,
    Internet,
    Limits,
    now,
)
from mailpod.services.resolving import certificates

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_SIZE = re.compile(r"([0-9]{1,15})([kmg]?)(?:i?b)?")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_LONGEST = timedelta(days=3653)
_SHORTEST_RSA = 2048
_MAKE_KEY = "make one with: ssh-keygen -t ed25519"
_MOST_MEMORY = 1024**4
_MOST_QUOTA = 1024**5
# What is longer is no file of keys and no password, and may have no end.
_LONGEST_KEY_FILE = 256 * 1024
_LONGEST_LINE = 64 * 1024


def limits(
    memory_: str | None = None,
    cpus: str | None = None,
    processes: str | None = None,
    connections: str | None = None,
    quota_: str | None = None,
    *,
    internet: Internet | None = None,
    messages_per_hour: int | None = None,
    expires: str | None = None,
) -> Limits:
    """Those limits of an account that were given.

    Raises:
        InvalidInput: one is no number or no size, or more or less than an account can have.
    """
    given = Limits()
    if memory_ is not None:
        given["memory"] = memory(memory_)
    if cpus is not None:
        given["cpus"] = _number(cpus, "--cpus", MIN_CPUS, MAX_CPUS)
    if processes is not None:
        given["processes"] = _whole(processes, "--processes", MIN_PROCESSES, MAX_PROCESSES)
    if connections is not None:
        given["connections"] = _whole(connections, "--connections", MIN_CONNECTIONS, MAX_CONNECTIONS)
    if quota_ is not None:
        given["quota"] = quota(quota_)
    if internet is not None:
        given["internet"] = internet
    if messages_per_hour is not None:
        given["messages_per_hour"] = messages_per_hour
    if expires is not None:
        given["expires"] = None if expires == "none" else now() + duration(expires)
    return given


def _number(text: str, option: str, least: float, most: float) -> float:
    if not _NUMBER.fullmatch(text.strip()) or not least <= float(text) <= most:
        raise InvalidInput(f"{option} cannot be {text!r}", f"give a number from {least:g} to {most:g}")
    return float(text)


def _whole(text: str, option: str, least: int, most: int) -> int:
    if "." in text:
        raise InvalidInput(f"{option} cannot be {text!r}", f"give a whole number from {least} to {most}")
    return int(_number(text, option, least, most))


def memory(text: str) -> int:
    """A size such as `256m` or `1GiB`, in bytes.

    Raises:
        InvalidInput: it is no size, or less than an account needs.
    """
    amount = _size(text, "give one like 256m or 1g")
    if not MIN_MEMORY <= amount <= _MOST_MEMORY:
        raise InvalidInput(f"an account cannot run in {text}", f"give at least {MIN_MEMORY // 1024**2}m")
    return amount


def quota(text: str) -> int:
    """How much mail an account may hold: a size as `memory` takes it, or `0` or `none` for no limit.

    Raises:
        InvalidInput: it is no size, or less than an account needs.
    """
    hint = f"give one like 2g, at least {MIN_QUOTA // 1024**2}m, or none"
    amount = NO_QUOTA if text.strip().lower() == "none" else _size(text, hint)
    if amount != NO_QUOTA and not MIN_QUOTA <= amount <= _MOST_QUOTA:
        raise InvalidInput(f"an account cannot have a quota of {text}", hint)
    return amount


def _size(text: str, hint: str) -> int:
    found = _SIZE.fullmatch(text.strip().lower())
    if not found:
        raise InvalidInput(f"{text!r} is not a size", hint)
    return int(found[1]) * _UNITS[found[2]]


def duration(text: str) -> timedelta:
    """A length of time such as `30m`, `12h`, `7d` or `4w`.

    Raises:
        InvalidInput: it is none, or longer than ten years.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    length = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise InvalidInput(f"{text!r} is not a length of time", "give one like 30m, 12h, 7d or 4w, at most ten years")
    return length


def ssh_keys(path: Path) -> tuple[str, ...]:
    """Public keys from a file such as `~/.ssh/id_ed25519.pub`, one a line.

    Raises:
        InvalidInput: the file cannot be read, holds no key, or holds something else.
    """
    text = _text(path, "the SSH key", "give the path of a .pub file")
    if "PRIVATE KEY" in text:
        raise InvalidInput(f"{path} is a private key", f"give the public one: {path}.pub")
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(_public_key(path, line) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise InvalidInput(f"{path} holds no SSH key", "give the path of a .pub file")
    return keys


def _text(path: Path, what: str, hint: str) -> str:
    """The text in a file of keys."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_KEY_FILE + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidInput(f"cannot read {what} {path}: {reason}", hint) from error
    if len(content) > _LONGEST_KEY_FILE:
        raise InvalidInput(f"{path} is too long for a file of keys", hint)
    return text


def secret_text(path: Path, what: str, hint: str) -> str:
    """The text in a file of secrets.

    Args:
        what: what it is, for people.
        hint: what to give, if it is not that.

    Raises:
        InvalidInput: it cannot be read, or others than its owner can read it.
    """
    text = _text(path, what, hint)
    if path.stat().st_mode & 0o077:
        raise InvalidInput(f"others can read {path}", f"run: chmod 600 {path}")
    return text


def _public_key(path: Path, line: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    # sshd accepts options before a key (sshd(8)); those are main's to give.
    if line.startswith("ssh-dss"):
        raise InvalidInput(f"the key in {path} is of a kind that OpenSSH no longer accepts", _MAKE_KEY)
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} holds a line that is not a public SSH key", _MAKE_KEY) from error
    if "-cert-v01@" in line.partition(" ")[0]:
        raise InvalidInput(f"{path} holds a certificate, not a key", _MAKE_KEY)
    if isinstance(key, RSAPublicKey) and key.key_size < _SHORTEST_RSA:
        raise InvalidInput(f"the RSA key in {path} is too short", _MAKE_KEY)
    if not all(character.isprintable() for character in line):
        raise InvalidInput(f"{path} holds a key with control characters", _MAKE_KEY)
    return line


def host_address(text: str, option: str) -> str:
    """An IP address, or the first one that a host name has."""
    try:
        return str(socket.getaddrinfo(text, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"{option} {text!r} is no host: {error}", "give its name or its address") from None


def password_line() -> str:
    """The first line of standard input, without its end.

    Raises:
        InvalidInput: it is not UTF-8, or there is no standard input.
    """
    try:
        # None when it was closed.
        return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n") if sys.stdin else ""
    except UnicodeDecodeError as error:
        raise InvalidInput("the password is not UTF-8", "give one that is") from error
    except OSError as error:
        raise InvalidInput(f"cannot read the password: {error.strerror}", "give it on standard input") from error


def asked_password(question: str) -> str:
    """A password that the person at the terminal types, unseen.

    Raises:
        InvalidInput: nobody is at a terminal.
    """
    if not (sys.stdin and sys.stdin.isatty()):
        raise InvalidInput("nobody can be asked for the password", "give it with --password-stdin")
    return getpass.getpass(question, stream=sys.stderr)


def only_line() -> str:
    """Standard input, of which the first line is all there is, without its end.

    Raises:
        InvalidInput: like `password_line`; or there is another line.
    """
    line = password_line()
    if sys.stdin and not sys.stdin.isatty() and sys.stdin.read(1):
        raise InvalidInput("the password has more than one line", "give one line on standard input")
    return line


def key_line(path: Path) -> str:
    """The key of a repository from a file, or from standard input when it is `-`.

    Raises:
        InvalidInput: the file cannot be read, or is not one line.
    """
    hint = "give the line that `mailpod backup key` printed"
    text = password_line() if str(path) == "-" else _text(path, "the key", hint)
    words = text.split()
    if len(words) != 1:
        raise InvalidInput(f"{path} is not one line", hint)
    return words[0]


def private_key(path: Path) -> tuple[str, str]:
    """A private SSH key without a passphrase, from its file, and its public line.

    Raises:
        InvalidInput: the file cannot be read, or holds something else.
    """
    hint = "give a private key that has no passphrase"
    text = _text(path, "the SSH key", hint)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

    try:
        public = load_ssh_private_key(text.encode(), password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} holds no private SSH key that can be used: {error}", hint) from error
    return text, public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def s3_access(keys: Path | None, region: str | None) -> dict[str, str]:
    """What a plan of backups has of S3's, by name, of what was given.

    Args:
        keys: a file with the key's id and the secret, a line each, or `-` for standard input.

    Raises:
        InvalidInput: the file cannot be read or has not two lines, or the region can be none.
    """
    found = {}
    if region is not None:
        if not re.fullmatch(r"[A-Za-z0-9-]*", region):
            raise InvalidInput(f"{region!r} is no region", "give what the service calls it, as eu-west-3")
        found["s3_region"] = region
    if keys:
        hint = "give the key's id in the first line, the secret in the second"
        text = sys.stdin.read(_LONGEST_LINE) if str(keys) == "-" and sys.stdin else _text(keys, "the keys", hint)
        lines = text.split()
        if len(lines) != 2:
            raise InvalidInput(f"{keys} has not two keys", hint)
        found["s3_id"], found["s3_secret"] = lines
    return found


def authority(path: Path) -> str:
    """Certificates from a PEM file; empty for `none`.

    Raises:
        InvalidInput: the file cannot be read, holds no certificate, or holds a private key.
    """
    if str(path) == "none":
        return ""
    hint = "give a PEM file of the authority's certificate"
    return certificates(path, _text(path, "the certificate", hint), hint)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed.

    Raises:
        InvalidInput: the answer was no, or nobody can be asked.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise InvalidInput(f"{question} needs a yes", "add --yes")
    # Not `input`, which asks on standard output, where only the result belongs.
    output.ask(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes", "o", "oui"}:
        raise InvalidInput("nothing was done", "answer y to go on")
