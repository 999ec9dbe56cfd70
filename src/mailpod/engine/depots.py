"""Containers of a moment that make backups and read them: one beside the repository, one on an account's volume.

restic runs on the volume, without a network and without a way to the repository. What it wants there goes through its
input and output, the engines' API and another container, on this machine, which lets it add and read, but not remove.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import docker.types

from mailpod.engine.helpers import READS, WRITES, Helper, contained
from mailpod.model.depot import BESIDE, LOCKED, MISSING, WRONG_KEY, Depot, DepotError
from mailpod.model.spec import LABEL_ID, LABEL_INSTANCE, WorkloadSpec

_TOOLS = "/usr/lib/mailpod/backup"
# What ends before anybody else works on the same repository, even if whoever has started it was killed.
_WRITES = {"forget", "init", "keep", "save", "unlock"}
# restic(1): some files could not be read.
_INCOMPLETE = 3
_MEMORY = 1024 * 1024 * 1024
_THREADS = 256
_TMPFS = {"/run": "noexec,nosuid,nodev,mode=755", "/tmp": "noexec,nosuid,nodev"}  # noqa: S108  (inside the container)
_HOST: dict[str, Any] = {"mem_limit": _MEMORY, "pids_limit": _THREADS, "tmpfs": _TMPFS}


def at_depot(api: Any, depot: Depot, words: Sequence[str], given: Iterable[bytes] = ()) -> Iterator[bytes]:  # noqa: ANN401
    """Run a verb of `images/backup/repository`; what it writes to standard output, in pieces.

    Args:
        given: its standard input.
    """
    element = depot.element if words[0] in _WRITES else BESIDE
    with ThreadPoolExecutor(1) as pool, _beside(api, depot, words, element) as running:
        taken = pool.submit(running.give, chain([depot.key_and_ways()], given))
        yield from running.output()
        taken.result()
        _check(running)


def save(
    here: Any,  # noqa: ANN401
    api: Any,  # noqa: ANN401
    spec: WorkloadSpec,
    depot: Depot,
    folder: str,
    told: Callable[[int], None],
) -> bytes:
    """Put what lies in a folder of the volume into the repository.

    Args:
        here: the engine of this machine.
        api: that of the machine which has the volume.
        told: how many bytes have been carried so far.

    Returns:
        What restic said, JSON a line.
    """
    mount = docker.types.Mount(spec.mount, spec.volume, type="volume", read_only=True, no_copy=True)
    labels, command = _labels(depot, depot.element), [f"{_TOOLS}/volume", folder]
    # The pool comes first: it waits for its thread, which ends when the containers are gone.
    with (
        ThreadPoolExecutor(1) as pool,
        _beside(here, depot, ["serve"], depot.element) as beside,
        contained(api, depot.image, command, labels, [mount], READS, cpu_shares=spec.cpu_weight, **_HOST) as running,
    ):
        there = pool.submit(beside.give, chain([depot.key_and_ways()], running.output()), told)
        running.give(chain([depot.key()], beside.output()))
        there.result()
        # What went wrong beside the repository is why the other one failed too, if both did.
        _check(beside)
        if running.code() == _INCOMPLETE:
            # What is not whole is no backup.
            snapshot = json.loads(running.said.splitlines()[-1])["snapshot_id"]
            list(at_depot(here, depot, ["forget", snapshot]))
        _check(running)
        return running.said


@contextlib.contextmanager
def _beside(api: Any, depot: Depot, words: Sequence[str], element: str) -> Iterator[Helper]:  # noqa: ANN401
    mounts = [docker.types.Mount("/repository", depot.folder, type="bind")] if depot.folder else []
    # What lies elsewhere is reached as from the machine itself.
    network = "none" if depot.folder else "host"
    command = [f"{_TOOLS}/repository", depot.path, *words]
    with contained(
        api, depot.image, command, _labels(depot, element), mounts, WRITES, **_HOST, network_mode=network
    ) as running:
        yield running


def _labels(depot: Depot, element: str) -> dict[str, str]:
    return {LABEL_INSTANCE: depot.instance, LABEL_ID: element}


def _check(running: Helper) -> None:
    code = running.code()
    if not code:
        return
    lines = [line for line in running.said.decode(errors="replace").splitlines() if line.strip()]
    said = _plain(lines[-1]) if lines else f"exit code {code}"
    known = {
        _INCOMPLETE: ("some files of it could not be read", "see that it runs well, then: mailpod backup"),
        MISSING: ("there is no backup of this there", "see: mailpod backup list"),
        LOCKED: ("the repository is locked", "see that no other system uses it"),
        WRONG_KEY: ("the key is not that of the repository", "give the one that `mailpod backup key` printed"),
    }
    what, hint = known.get(code, (f"the repository of the backup: {said}", "see that it can be reached, and is whole"))
    raise DepotError(what, hint, code)


def _plain(line: str) -> str:
    """A line of restic's, which may be JSON with what it has to say."""
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return line
