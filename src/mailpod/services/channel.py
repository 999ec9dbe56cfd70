"""The control plane's way into main and the accounts: SSH with forced commands, the same on every engine.

Every call is one `ssh` that ends by itself. main is reached at its published jump port, an account through main,
which waits until the account's own SSH server answers.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from mailpod.model.archive import File, tar
from mailpod.model.errors import MailpodError
from mailpod.model.records import System
from mailpod.model.tables import internal_name

_OPTIONS = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "ServerAliveInterval": "10",
    "LogLevel": "ERROR",
    # The agent and the user's own configuration have no say here.
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
    # The default of OpenSSH 9 costs a tenth of a second a connection, and this one stays on the system's machines.
    "KexAlgorithms": "curve25519-sha256",
}
_SECONDS = 60.0
# The exit code of ssh(1) when the connection itself failed.
_SSH_ITSELF = 255


class ChannelClosed(MailpodError):
    """The other side did not answer, or the connection broke; nothing is known of what it did."""


class Channel:
    """Runs verbs of the operator's protocol in main and in accounts.

    Args:
        system: where main's jump port is published.
        key: file of the operator's private key.
        main_public: public line of main's SSH host key.
    """

    def __init__(self, system: System, key: Path, main_public: str) -> None:
        self._system = system
        self._key = key
        self._main_public = main_public

    def main(self, verb: str, files: Iterable[File] = ()) -> bytes:
        """Run a verb in main.

        Args:
            verb: one of its operator's protocol.
            files: sent as a tar on its standard input.

        Returns:
            What the verb wrote to standard output.

        Raises:
            ChannelClosed: main does not answer.
            MailpodError: the verb failed; its own line says why.
        """
        with _known_hosts({"main": self._main_public}) as known:
            return _run("main", [*self._ssh(known), *self._to_main(), verb], files)

    def account(self, name: str, public: str, verb: str, files: Iterable[File] = ()) -> bytes:
        """Run a verb in the account `name`, whose SSH host key is `public`; otherwise like `main`.

        The account may still be starting: main waits some time for its SSH server.
        """
        with _known_hosts({"main": self._main_public, name: public}) as known:
            ssh = self._ssh(known)
            hop = " ".join(_quoted(word) for word in [*ssh, *self._to_main(), f"connect {name}"])
            target = ["-o", f"ProxyCommand={hop}", "-o", f"HostKeyAlias={internal_name(name)}", f"root@{name}"]
            return _run(name, [*ssh, *target, verb], files)

    def _to_main(self) -> list[str]:
        port = str(self._system.port("ssh"))
        alias = f"HostKeyAlias={internal_name('main')}"
        return ["-o", alias, "-p", port, f"root@{self._system.local_address()}"]

    def _ssh(self, known_hosts: str) -> list[str]:
        options = {**_OPTIONS, "UserKnownHostsFile": known_hosts, "IdentityFile": str(self._key)}
        return ["ssh", "-F", "none", "-T", *(word for item in options.items() for word in ("-o", _option(*item)))]


def _run(name: str, command: list[str], files: Iterable[File]) -> bytes:
    try:
        done = subprocess.run(command, input=tar(files), capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ChannelClosed(f"{name} did not answer within {_SECONDS:.0f} s", "see: mailpod status") from error
    except FileNotFoundError as error:
        raise MailpodError("the command ssh is missing", "run: apt-get install openssh-client") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines()
    reason = said[-1] if said else f"exit code {done.returncode}"
    if done.returncode == _SSH_ITSELF:
        raise ChannelClosed(f"{name} cannot be reached: {reason}", "see: mailpod status")
    raise MailpodError(f"{name}: {reason}", "see: mailpod status")


@contextlib.contextmanager
def _known_hosts(keys: dict[str, str]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="mailpod-known-hosts-") as file:
        file.writelines(f"{internal_name(name)} {public}\n" for name, public in keys.items())
        file.flush()
        yield file.name


def _option(name: str, value: str) -> str:
    # ssh_config(5): a value with white space is quoted, and `%` begins a token.
    return f'{name}="{value.replace("%", "%%")}"' if " " in value or "%" in value else f"{name}={value}"


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''").replace("%", "%%") + "'"
