"""The control plane's way into main and the accounts: SSH with forced commands, the same on every engine.

Every call is one `ssh` that ends by itself. main is reached at its published jump port, an account through main.
"""

import subprocess
import tempfile
from collections.abc import Iterable
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
    "ConnectTimeout": "10",
    "ServerAliveInterval": "10",
    "LogLevel": "ERROR",
    # The agent and the user's own configuration have no say here.
    "IdentityAgent": "none",
    "PreferredAuthentications": "publickey",
}


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

    def main(self, verb: str, files: Iterable[File] = (), timeout: float = 60) -> bytes:
        """Run a verb in main.

        Args:
            files: sent as a tar on its standard input.
            timeout: seconds until the attempt is given up.

        Returns:
            What the verb wrote to standard output.

        Raises:
            ChannelClosed: main does not answer.
            MailpodError: the verb failed; its own line says why.
        """
        return self._run("main", self._main_public, self._to_main("root"), verb, files, timeout)

    def account(self, name: str, public: str, verb: str, files: Iterable[File] = (), timeout: float = 60) -> bytes:
        """Run a verb in the account `name`, whose SSH host key is `public`; otherwise like `main`."""
        target = ["-o", f"HostKeyAlias={internal_name(name)}", f"root@{internal_name(name)}"]
        return self._run(name, public, target, verb, files, timeout, through_main=True)

    def _to_main(self, user: str) -> list[str]:
        address = self._system.local_address()
        return [
            "-o",
            f"HostKeyAlias={internal_name('main')}",
            "-p",
            str(self._system.port("ssh")),
            f"{user}@{address}",
        ]

    def _run(
        self,
        name: str,
        public: str,
        target: list[str],
        verb: str,
        files: Iterable[File],
        timeout: float,
        through_main: bool = False,
    ) -> bytes:
        with tempfile.NamedTemporaryFile("w", prefix="mailpod-known-hosts-") as known:
            known.write(f"{internal_name('main')} {self._main_public}\n{internal_name(name)} {public}\n")
            known.flush()
            base = self._base(known.name)
            proxy = []
            if through_main:
                hop = [*base, "-W", f"{internal_name(name)}:22", *self._to_main("jump")]
                proxy = ["-o", "ProxyCommand=" + " ".join(_quoted(part) for part in hop)]
            try:
                done = subprocess.run(
                    [*base, *proxy, *target, verb],
                    input=tar(files),
                    capture_output=True,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ChannelClosed(f"{name} did not answer within {timeout:.0f} s", "see: mailpod status") from error
            except FileNotFoundError as error:
                raise MailpodError("the command ssh is missing", "run: apt-get install openssh-client") from error
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        if done.returncode == 255:
            raise ChannelClosed(f"{name} cannot be reached: {reason}", "see: mailpod status")
        raise MailpodError(f"{name}: {reason}", "see: mailpod status")

    def _base(self, known_hosts: str) -> list[str]:
        options = {**_OPTIONS, "UserKnownHostsFile": known_hosts, "IdentityFile": str(self._key)}
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            *(word for item in options.items() for word in ("-o", _option(*item))),
        ]


def _option(name: str, value: str) -> str:
    # ssh_config(5): a value with white space is quoted, and `%` begins a token.
    return f'{name}="{value.replace("%", "%%")}"' if " " in value or "%" in value else f"{name}={value}"


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''").replace("%", "%%") + "'"
