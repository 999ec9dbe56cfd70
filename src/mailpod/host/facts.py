"""What is so on this machine, gathered once, so that decisions about it are pure."""

import http.client
import os
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SOCKET = Path("/var/run/docker.sock")
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")

# Daemons lie here, also for callers whose PATH is an unprivileged user's.
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"

# Where the docker command looks for its plugins, besides the user's own folder.
_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


class Answer(Enum):
    """What an engine's socket said."""

    OK = "ok"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The machine, as far as setting up an engine is concerned."""

    root: bool
    apt: bool
    systemd: bool
    answer: Answer
    """Of the engine here; one that DOCKER_HOST names is not ours to ask, install or start, and counts as good."""
    dockerd: bool
    daemon_json: bool
    apparmor: bool
    inotify_instances: int
    """The kernel's limit for each user (inotify(7)); 0 where we may not set it, or where the engine is elsewhere."""
    missing: tuple[str, ...]
    """Commands that are needed and not there; `compose` stands for Compose in either form."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ping(path: Path = SOCKET, timeout: float = 10) -> Answer:
    """Ask the engine behind a socket whether it is there (GET /_ping)."""
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", "/_ping")
        return Answer.OK if connection.getresponse().status == http.HTTPStatus.OK else Answer.SILENT
    except PermissionError:
        return Answer.DENIED
    except (OSError, http.client.HTTPException):
        return Answer.SILENT
    finally:
        connection.close()


def search_path() -> str:
    """PATH with the folders of system programs."""
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}"


def environment() -> dict[str, str]:
    """What system programs run with: every program found, messages in English, no questions."""
    return {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def which(name: str) -> bool:
    """Whether a program is there."""
    return shutil.which(name, path=search_path()) is not None


def has_compose() -> bool:
    """Whether Compose is there, as a command or as a plugin of the docker command."""
    if which("docker-compose"):
        return True
    folders = [Path.home() / ".docker/cli-plugins", *map(Path, _PLUGIN_FOLDERS)]
    return which("docker") and any((folder / "docker-compose").exists() for folder in folders)


def missing_commands(commands: Iterable[str]) -> tuple[str, ...]:
    """Those of the commands that are not there."""
    return tuple(name for name in commands if not (has_compose() if name == "compose" else which(name)))


def gather(commands: Iterable[str]) -> Facts:
    """Look at this machine; `commands` are the programs that are needed."""
    return Facts(
        root=os.geteuid() == 0,
        apt=which("apt-get"),
        # sd_booted(3): the folder exists if and only if systemd is the init system.
        systemd=Path("/run/systemd/system").is_dir(),
        answer=Answer.OK if os.environ.get("DOCKER_HOST") else ping(),
        dockerd=which("dockerd"),
        daemon_json=Path("/etc/docker/daemon.json").exists(),
        apparmor=_first_letter(Path("/sys/module/apparmor/parameters/enabled")) == "Y",
        inotify_instances=0 if os.environ.get("DOCKER_HOST") else _settable(INOTIFY_INSTANCES),
        missing=missing_commands(commands),
    )


def _first_letter(path: Path) -> str:
    return path.read_text()[:1] if path.exists() else ""


def _settable(path: Path) -> int:
    return int(path.read_text()) if os.access(path, os.W_OK) else 0
