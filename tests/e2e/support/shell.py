"""A user's own OpenSSH client, with a key of its own and nothing of the machine's configuration."""

import subprocess
from pathlib import Path

from tests.e2e.support.system import Account, System


class Ssh:
    """What somebody with this key can do from outside."""

    def __init__(self, system: System, folder: Path) -> None:
        self._system = system
        self.key = folder / "id_ed25519"
        self.public = folder / "id_ed25519.pub"
        self._known = folder / "known_hosts"
        self._config = folder / "config"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        common = [
            f"IdentityFile {self.key}",
            "IdentitiesOnly yes",
            "BatchMode yes",
            "StrictHostKeyChecking accept-new",
            f"UserKnownHostsFile {self._known}",
            "ConnectTimeout 40",
            "LogLevel ERROR",
        ]
        jump = ["Host main", f"HostName {system.address}", f"Port {system.port(2222)}", "User jump"]
        others = [f"Host *.{system.domain}", "User box", "ProxyJump main"]
        self._config.write_text("\n".join([*jump, *others, "Host *", *common]) + "\n")

    def options(self) -> list[str]:
        """Options that every OpenSSH program takes."""
        return ["-F", str(self._config)]

    def run(self, account: Account, command: str, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in an account's container, through main."""
        return self.client("ssh", *options, account.fqdn, command, stdin=stdin)

    def ok(self, account: Account, command: str, stdin: str = "") -> str:
        """Run a command that has to succeed; what it wrote."""
        done = self.run(account, command, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, program: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `ssh`, `scp` or `sftp` with this configuration."""
        return subprocess.run(
            [program, *self.options(), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
