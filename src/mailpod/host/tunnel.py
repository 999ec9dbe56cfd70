"""The way to another machine's engine: its socket, forwarded by SSH to one of ours."""

import atexit
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mailpod.model.errors import EngineUnreachable

SOCKET = "/var/run/docker.sock"
_SECONDS = 15
OPTIONS = (
    *("-F", "none", "-T", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
    *("-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
    *("-o", f"ConnectTimeout={_SECONDS}", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
)


ANOTHER_KEY = "Host key verification failed."
"""What ssh(1) says of a machine that proves another host key than the known one."""


def open_tunnel(name: str, target: str, port: int, key: Path, host_keys: Sequence[str], anew: str) -> str:
    """Forward a socket to the engine of a machine, for as long as this process lives.

    Args:
        name: what the machine is called in messages.
        target: `USER@ADDRESS`.
        key: file of the private key.
        host_keys: public lines, one of which the machine has to prove.
        anew: what is to be done when it proves another one.

    Returns:
        URL of the engine.

    Raises:
        EngineUnreachable: the machine does not answer, or is another one.
    """
    folder = tempfile.TemporaryDirectory(prefix="mailpod-")
    atexit.register(folder.cleanup)
    known = Path(folder.name) / "known_hosts"
    known.write_text("".join(f"{name} {line}\n" for line in host_keys))
    end = Path(folder.name) / "engine"
    process = subprocess.Popen(
        [
            *("ssh", *OPTIONS, "-o", "ExitOnForwardFailure=yes", "-o", f"HostKeyAlias={name}"),
            *("-o", f"UserKnownHostsFile={known}", "-i", str(key), "-p", str(port)),
            *("-N", "-L", f"{end}:{SOCKET}", target),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    atexit.register(process.wait)
    atexit.register(process.terminate)
    deadline = time.monotonic() + _SECONDS
    while not _listens(end):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip().splitlines()
            if said and said[-1] == ANOTHER_KEY:
                raise EngineUnreachable(f"{name}, at {target}, has another SSH host key than it had", anew)
            raise EngineUnreachable(
                f"{name} cannot be reached at {target}: {said[-1] if said else 'no answer'}",
                f"see that it runs and answers on SSH, or set it up again: mailpod node add {target}",
            )
        time.sleep(0.02)
    return f"unix://{end}"


def _listens(end: Path) -> bool:
    """Whether somebody takes connections there. The file alone says nothing: it is there a moment before (bind(2))."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(end)) == 0
