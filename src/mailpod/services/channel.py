"""The control plane's way into main and the accounts: SSH with forced commands, the same on every engine.

Every call is one `ssh` that ends by itself. main is reached at its published jump port, an account through main,
which waits until the account's own SSH server answers.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

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
# Where an account finds what it is led to (images/account/base/sshd/sshd_config).
_LED = "127.0.0.1:1143"
# The exit code of ssh(1) when the connection itself failed.
_SSH_ITSELF = 255
_REFUSALS = ("Permission denied", "Host key verification failed")


class ChannelClosed(MailpodError):
    """The other side did not answer, or the connection broke; nothing is known of what it did."""


class Refused(ChannelClosed):
    """The other side does not know our key, or is not who it should be."""


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

    def account(
        self, name: str, public: str, verb: str, files: Iterable[File] = (), seconds: float = _SECONDS
    ) -> bytes:
        """Run a verb in the account `name`, whose SSH host key is `public`, for at most so many seconds.

        Otherwise like `main`. The account may still be starting: main waits some time for its SSH server.
        """
        with _known_hosts({"main": self._main_public, name: public}) as known:
            return _run(name, [*self._ssh(known), *self._to_account(known, name), verb], files, seconds)

    def attend(
        self, name: str, public: str, verb: str, files: Iterable[File], lead_to: str, told: Callable[[str], None]
    ) -> None:
        """Run a verb in an account for as long as it takes, and hear what it tells meanwhile.

        Args:
            lead_to: `HOST:PORT` that this machine can reach, and the account at 127.0.0.1:1143 for as long.
            told: given each line that the verb writes to standard output.

        Otherwise like `account`.
        """
        with _known_hosts({"main": self._main_public, name: public}) as known, tempfile.TemporaryFile() as errors:
            leads = ["-o", "ExitOnForwardFailure=yes", "-R", f"{_LED}:{lead_to}"]
            command = [*self._ssh(known), *leads, *self._to_account(known, name), verb]
            with _start(command, errors) as process:
                try:
                    if process.stdin and process.stdout:
                        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                            stdin.write(tar(files))
                        for line in process.stdout:
                            told(line.decode(errors="replace").rstrip("\n"))
                    process.wait()
                finally:
                    process.kill()
            errors.seek(0)
            _check(name, process.returncode, errors.read())

    def _to_account(self, known: str, name: str) -> list[str]:
        hop = " ".join(_quoted(word) for word in [*self._ssh(known), *self._to_main(), f"connect {name}"])
        return ["-o", f"ProxyCommand={hop}", "-o", f"HostKeyAlias={internal_name(name)}", f"root@{name}"]

    @contextlib.contextmanager
    def await_account(self, name: str) -> Iterator[Callable[[], object]]:
        """Have main at hand for the moment when the account `name` has been started.

        Yields:
            A function to call then. It returns when the account's SMTP, IMAP and SSH servers greet, and raises
            `MailpodError` when they do not in time. The connection to main is made before, while there is time.
        """
        with _known_hosts({"main": self._main_public}) as known:
            command = [*self._ssh(known), *self._to_main(), f"await {name}"]
            with _start(command) as process:
                try:
                    yield partial(_result, name, process, b"")
                finally:
                    process.kill()

    @contextlib.contextmanager
    def hold(self, name: str, *, anew: bool) -> Iterator[None]:
        """Have main keep logins to the account `name` waiting; at the end, also of this process, it lets them go on.

        Then it tries what mail waits for the account.

        Args:
            anew: the account will have another address then.

        Raises:
            ChannelClosed: main does not answer.
            MailpodError: it keeps none, or fails at the end; its own line says why.
        """
        with _known_hosts({"main": self._main_public}) as known:
            verb = f"hold {name} anew" if anew else f"hold {name}"
            with _start([*self._ssh(known), *self._to_main(), verb]) as process:
                try:
                    if not (process.stdout and process.stdout.readline()):
                        _result("main", process, b"")
                    yield
                    _result("main", process, b"")
                finally:
                    # It goes on by itself when nobody is there any more.
                    process.kill()

    def _to_main(self) -> list[str]:
        port = str(self._system.port("ssh"))
        alias = f"HostKeyAlias={internal_name('main')}"
        return ["-o", alias, "-p", port, f"root@{self._system.local_address()}"]

    def _ssh(self, known_hosts: str) -> list[str]:
        options = {**_OPTIONS, "UserKnownHostsFile": known_hosts, "IdentityFile": str(self._key)}
        return ["ssh", "-F", "none", "-T", *(word for item in options.items() for word in ("-o", _option(*item)))]


def _run(name: str, command: list[str], files: Iterable[File], seconds: float = _SECONDS) -> bytes:
    with _start(command) as process:
        return _result(name, process, tar(files), seconds)


def _start(command: list[str], errors: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
    except FileNotFoundError as error:
        raise MailpodError("the command ssh is missing", "run: apt-get install openssh-client") from error


def _result(name: str, process: subprocess.Popen[bytes], given: bytes, seconds: float = _SECONDS) -> bytes:
    """What it wrote, once it has been given its input and has ended well."""
    try:
        output, errors = process.communicate(given, seconds)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise ChannelClosed(f"{name} did not answer within {seconds:.0f} s", "see: mailpod status") from error
    _check(name, process.returncode, errors)
    return output


def _check(name: str, code: int, errors: bytes) -> None:
    """Raise what a command that has ended means, unless it ended well."""
    if code == 0:
        return
    said = errors.decode(errors="replace").strip().splitlines()
    reason = said[-1] if said else f"exit code {code}"
    if code == _SSH_ITSELF:
        kind = Refused if any(words in reason for words in _REFUSALS) else ChannelClosed
        raise kind(f"{name} cannot be reached: {reason}", "see: mailpod status")
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
