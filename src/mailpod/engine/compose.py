"""main's Compose file, run by Docker Compose: the plugin where there is one, else the stand-alone command."""

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mailpod.model.errors import EngineUnreachable, MailpodError

# What the SDK takes when nobody names an engine.
_SOCKET = "unix:///var/run/docker.sock"
_TELLS_LESS = 26


@functools.cache
def command() -> tuple[str, ...]:
    """How Compose is called on this host.

    Raises:
        EngineUnreachable: it is not installed.
    """
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise EngineUnreachable(
        "Docker Compose is not installed",
        "run: apt-get install docker-compose (Debian) or docker-compose-v2 (Ubuntu)",
    )


def check(engine: str) -> None:
    """Refuse a Compose that cannot make main anew on an engine of this version.

    Raises:
        EngineUnreachable: Compose 1 ends main and then reads of its image what engines from 26 on do not tell
            (`ContainerConfig`; docs.docker.com, "Deprecated Docker Engine features").
    """
    if int(engine.split(".", maxsplit=1)[0]) < _TELLS_LESS or command() != ("docker-compose",):
        return
    said = subprocess.run(["docker-compose", "version", "--short"], capture_output=True, text=True, check=False).stdout
    if said.startswith("1."):
        raise EngineUnreachable(
            f"Docker Compose {said.strip()} is too old for Docker Engine {engine}",
            "install Compose 2: docker-compose-plugin (Docker's own packages) or docker-compose-v2 (Ubuntu)",
        )


def project(compose_files: Sequence[Path], environment: Mapping[str, str]) -> list[str]:
    """The part of the command line that every call shares."""
    files = (word for file in compose_files for word in ("--file", str(file)))
    return [*command(), *files, "--project-name", environment["MAILPOD_INSTANCE"]]


def up(compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
    """Create or update main, its network and its volume.

    Raises:
        MailpodError: Compose failed; its last line, or its last error, says why.
    """
    _run([*project(compose_files, environment), "up", "--detach", "--no-build"], environment)


def down(compose_files: Sequence[Path], environment: Mapping[str, str]) -> None:
    """Stop and remove main and its network; its volume stays."""
    _run([*project(compose_files, environment), "down"], environment)


def _run(arguments: list[str], environment: Mapping[str, str]) -> None:
    # Else Compose goes by the user's `docker context`, which the SDK knows nothing of.
    engine = {"DOCKER_HOST": os.environ.get("DOCKER_HOST") or _SOCKET}
    done = subprocess.run(
        arguments,
        env={**os.environ, **environment, **engine},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        # Compose 1 ends with "Encountered errors while bringing up the project."
        told = [line for line in lines if line.startswith("ERROR: ")]
        reason = [f"exit code {done.returncode}", *lines, *told][-1]
        raise MailpodError(f"Docker Compose failed: {reason}", "see: mailpod status")
