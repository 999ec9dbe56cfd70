"""What this machine does by itself at regular times: a timer of systemd, or an entry for cron."""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailpod.host.facts import environment, which
from mailpod.model.errors import MailpodError

_CRON = Path("/etc/cron.d")
_UNITS = Path("/etc/systemd/system")
_BOOTED = Path("/run/systemd/system")


@dataclass(frozen=True)
class Timetable:
    """Runs commands of root's once an hour.

    Args:
        units: where systemd reads units of the administrator's.
        cron: where cron reads entries (cron(8)).
        booted: is there if and only if systemd is the init system (sd_booted(3)).
    """

    units: Path = _UNITS
    cron: Path = _CRON
    booted: Path = _BOOTED

    def usable(self) -> bool:
        """Whether this machine has something that runs commands at regular times."""
        return self.booted.is_dir() or (self.cron.is_dir() and (which("cron") or which("crond")))

    def enter(self, name: str, command: list[str]) -> None:
        """Have a command run once an hour from now on.

        Args:
            name: a file name without a dot, by which it is known; one of that name is replaced.
            command: what to run, its program by its whole path.

        Raises:
            MailpodError: systemd refuses it.
        """
        if not self.booted.is_dir():
            # A moment of the name's own, so that several systems of a machine do not begin at once.
            minute = sum(name.encode()) % 60
            # cron(5): `%` ends the command.
            words = shlex.join(command).replace("%", r"\%")
            (self.cron / name).write_text(f"{minute} * * * * root {words} >/dev/null\n")
            return
        for path, text in self._unit_files(name, command).items():
            path.write_text(text)
        _systemctl("daemon-reload")
        _systemctl("enable", "--quiet", "--now", f"{name}.timer")

    def strike(self, name: str) -> None:
        """End that, if it is there."""
        (self.cron / name).unlink(missing_ok=True)
        files = [path for path in self._unit_files(name, []) if path.exists()]
        if files and self.booted.is_dir():
            _systemctl("disable", "--quiet", "--now", f"{name}.timer")
        for path in files:
            path.unlink()
        if files and self.booted.is_dir():
            _systemctl("daemon-reload")

    def _unit_files(self, name: str, command: list[str]) -> dict[Path, str]:
        # systemd.service(5): `%` and `$` begin what is replaced, in quotes too.
        words = " ".join(_quoted(word) for word in command)
        service = (
            "[Unit]\nDescription=mailpod's chores\nAfter=docker.service\n\n"
            f"[Service]\nType=oneshot\nExecStart={words}\n"
        )
        timer = (
            "[Unit]\nDescription=mailpod's chores, once an hour\n\n"
            "[Timer]\nOnCalendar=hourly\nRandomizedDelaySec=10min\nPersistent=true\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
        return {self.units / f"{name}.service": service, self.units / f"{name}.timer": timer}


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _systemctl(*words: str) -> None:
    done = subprocess.run(
        ["systemctl", *words], stdin=subprocess.DEVNULL, capture_output=True, env=environment(), check=False, text=True
    )
    if done.returncode != 0:
        raise MailpodError(f"systemctl {words[0]} failed: {done.stderr.strip()}", "see: journalctl -xe")
