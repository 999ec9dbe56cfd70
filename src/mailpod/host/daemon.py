"""Starting the engine's daemon, and waiting until it answers."""

import subprocess
import time
from pathlib import Path

from mailpod.host.facts import SOCKET, Answer, environment, ping
from mailpod.model.errors import EngineUnreachable

LOG = Path("/var/log/dockerd.log")
_ANSWER_SECONDS = 90

_DOCKERD_PID = Path("/var/run/docker.pid")
_PID_FILES = {_DOCKERD_PID: "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}


def start(command: list[str], *, detached: bool) -> None:
    """Start the engine unless its daemon is coming up already, and wait for its answer.

    Raises:
        EngineUnreachable: it did not answer in time, or ended.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS
    process = None
    if not detached:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment(), check=False)
        if done.returncode != 0:
            raise EngineUnreachable("systemd could not start the engine", "see: journalctl -u docker.service")
    elif not is_alive(_DOCKERD_PID, "dockerd"):
        for path, name in _PID_FILES.items():
            if not is_alive(path, name):
                path.unlink(missing_ok=True)
        process = _spawn(command)
    while ping(timeout=2) is not Answer.OK:
        if process is not None and process.poll() is not None and not is_alive(_DOCKERD_PID, "dockerd"):
            raise EngineUnreachable(f"the engine ended at once: {_last_line(LOG)}", f"see {LOG}")
        if time.monotonic() > deadline:
            if process is not None:
                process.terminate()
                process.wait()
            raise EngineUnreachable(
                f"the engine does not answer on {SOCKET} after {_ANSWER_SECONDS} seconds",
                f"see {LOG}" if detached else "see: journalctl -u docker.service",
            )
        time.sleep(0.05)


def is_alive(path: Path, name: str, proc: Path = Path("/proc")) -> bool:
    """Whether the process a pid file names is alive and of this name.

    After a restart of the machine the number can be another process's; the daemon would take that for
    itself and refuse to start.
    """
    try:
        pid = int(path.read_text())
        return (proc / str(pid) / "comm").read_text().strip() == name
    except (OSError, ValueError):
        return False


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    """Run the daemon in a session of its own, holding nothing of its caller's."""
    with LOG.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            cwd="/",
            umask=0o022,
            start_new_session=True,
        )


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[-1][-300:] if lines else "it wrote nothing"
