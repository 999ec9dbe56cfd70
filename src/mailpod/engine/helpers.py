"""Containers of a moment that open an account's volume: to measure it, to copy it, to pack and to unpack it.

They are made of the account's image, have no network, and of root's rights only those that files need. What one says
comes, and what it is given goes, through its engine's API alone.
"""

import contextlib
import io
import socket
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker.errors
import docker.types

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.spec import LABEL_ID, LABEL_INSTANCE, LABEL_ROLE, WorkloadSpec

ROLE = "helper"
_TOOLS = "/usr/lib/mailpod/copy"
READS = ("DAC_READ_SEARCH",)
WRITES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID")
# The user in every account's image who owns the home.
_OWNER = "1000:1000"
_MEMORY = 256 * 1024 * 1024
_PROCESSES = 32
_CHUNK = 1024 * 1024
# Seconds after which a container is given up to and from which nothing moves; it may look at a large disk as long.
_SILENCE = 900
_STDOUT = 1
_SAID = 4096
# rsync(1): some files vanished, or changed, while they were copied.
_MOVED_ON = {23, 24}

_PACK = ("tar", "--create", "--numeric-owner", "--acls", "--xattrs", "--blocking-factor=1", "--directory")
_READ = 'cd {0} && find "$@" -type f -print0 2>/dev/null | tar --create --null --files-from=-'
# What has not come whole is not executable (Postfix, mail_queue.h), and nobody was told that it had come.
_QUEUED = (
    "cd {0}/spool/postfix && find incoming active deferred hold maildrop -type f -perm -u+x -print0 2>/dev/null"
    " | tar --create --null --files-from=-"
)
_UNPACK = "tar --extract --numeric-owner --acls --xattrs --preserve-permissions --directory {0} && sync -f {0}"


class Helper:
    """A container that runs, joined to its input and output.

    Attributes:
        said: the end of what it wrote to standard error.
    """

    def __init__(self, api: Any, container: str, connection: Any) -> None:  # noqa: ANN401  (the SDK's)
        self._api = api
        self._container = container
        self._connection = connection
        # The SDK gives a reader of the socket, with its answer to keep both open.
        self._socket: socket.socket = connection._sock  # noqa: SLF001
        self._socket.settimeout(_SILENCE)
        self._moved = time.monotonic()
        self.said = b""

    def output(self) -> Iterator[bytes]:
        """What it writes to standard output, until it ends.

        Raises:
            MailpodError: for a long time nothing has moved, neither to it nor from it.
        """
        # Each piece comes after a header of 8 bytes: the stream, three zeros, the length (Docker API, "attach").
        here = bytearray()
        while piece := self._receive():
            here += piece
            while len(here) >= 8 and len(here) >= (end := 8 + int.from_bytes(here[4:8], "big")):
                stream, content = here[0], bytes(here[8:end])
                del here[:end]
                if stream == _STDOUT:
                    yield content
                else:
                    self.said = (self.said + content)[-_SAID:]

    def _receive(self) -> bytes:
        while True:
            try:
                piece = self._socket.recv(_CHUNK)
            except TimeoutError:
                # It may have been given something all the time, of which it says nothing.
                if time.monotonic() - self._moved >= _SILENCE:
                    raise _stuck() from None
            except ConnectionError:
                return b""
            else:
                self._moved = time.monotonic()
                return piece

    def give(self, pieces: Iterable[bytes], told: Callable[[int], None] = lambda _count: None) -> int:
        """Write to its standard input and close it; stops early when nobody reads there any more.

        Args:
            told: how many bytes it has been given so far.

        Returns:
            How many bytes it was given.

        Raises:
            MailpodError: for a long time it has taken nothing. Nothing more is heard of it then.
        """
        count = 0
        try:
            for piece in pieces:
                for at in range(0, len(piece), _CHUNK):
                    self._socket.sendall(piece[at : at + _CHUNK])
                    self._moved = time.monotonic()
                count += len(piece)
                told(count)
            self._socket.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except TimeoutError:
            self._socket.shutdown(socket.SHUT_RDWR)
            raise _stuck() from None
        return count

    def let_go(self) -> None:
        """Take and give nothing any more: the engine does not end a container whose words somebody is yet to take."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection._response.close()  # noqa: SLF001
        self._socket.close()

    def code(self) -> int:
        """Its exit code, once it has ended."""
        return int(self._api.wait(self._container)["StatusCode"])

    def check(self, what: str, allowed: Iterable[int] = ()) -> None:
        """Raise `MailpodError` when it ended with another exit code than 0 or those."""
        code = self.code()
        if code and code not in allowed:
            lines = self.said.decode(errors="replace").strip().splitlines()
            raise MailpodError(
                f"{what} failed: {lines[0] if lines else f'exit code {code}'}", "see that the disk has room"
            )


def _stuck() -> MailpodError:
    return MailpodError(f"nothing has moved for {_SILENCE // 60} minutes", "see that the disk and the engine are well")


@contextlib.contextmanager
def helper(
    api: Any,  # noqa: ANN401  (the SDK's low-level client, with incomplete types)
    spec: WorkloadSpec,
    command: Sequence[str],
    *,
    writes: bool = False,
    elsewhere: bool = False,
    as_owner: bool = False,
) -> Iterator[Helper]:
    """Run a command with the volume of `spec` at its mount point.

    Args:
        writes: it changes the volume.
        elsewhere: it gets an empty volume of its own instead.
        as_owner: it reads and writes what the account's owner may, and nothing else.
    """
    volume = None if elsewhere else spec.volume
    reads_only = not (writes or elsewhere or as_owner)
    rights = () if as_owner else WRITES if writes else READS
    mount = docker.types.Mount(spec.mount, volume, type="volume", read_only=reads_only, no_copy=True)
    labels = {name: spec.labels[name] for name in (LABEL_INSTANCE, LABEL_ID)}
    user = _OWNER if as_owner else "0"
    with contained(api, spec.image, command, labels, [mount], rights, user=user, cpu_shares=spec.cpu_weight) as running:
        yield running


@contextlib.contextmanager
def contained(
    api: Any,  # noqa: ANN401
    image: str,
    command: Sequence[str],
    labels: Mapping[str, str],
    mounts: Sequence[docker.types.Mount],
    capabilities: Sequence[str],
    *,
    user: str = "0",
    **host: Any,  # noqa: ANN401  (what else the SDK's host configuration takes)
) -> Iterator[Helper]:
    """Run a command in a container of a moment, which has no network unless `host` says so.

    Args:
        labels: of the instance and of the account it is there for, by whose id it is found and ended.
        user: as whom it runs.
    """
    defaults = {"network_mode": "none", "mem_limit": _MEMORY, "pids_limit": _PROCESSES}
    made = api.create_container(
        image,
        entrypoint=list(command),
        command=[],
        user=user,
        stdin_open=True,
        labels={**labels, LABEL_ROLE: ROLE},
        healthcheck=docker.types.Healthcheck(test=["NONE"]),
        host_config=api.create_host_config(
            mounts=list(mounts),
            read_only=True,
            cap_drop=["ALL"],
            cap_add=list(capabilities),
            security_opt=["no-new-privileges"],
            # All of a volume passes through its output.
            log_config=docker.types.LogConfig(type="none"),
            **defaults | host,
        ),
    )
    container = made["Id"]
    try:
        # Before it runs: nothing that it says is missed.
        connection = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        running = Helper(api, container, connection)
        try:
            api.start(container)
            yield running
        finally:
            running.let_go()
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            api.remove_container(container, force=True, v=True)


def size(api: Any, spec: WorkloadSpec) -> int:  # noqa: ANN401
    """Bytes that the files of a volume take on its disk."""
    count = f"du --summarize --one-file-system --block-size=1 {spec.mount} 2>/dev/null | cut -f 1"
    return _number(api, spec, count, elsewhere=False)


def room(api: Any, spec: WorkloadSpec) -> int:  # noqa: ANN401
    """Bytes that are free where volumes are."""
    return _number(api, spec, f"df --output=avail --block-size=1 {spec.mount} | tail -n 1", elsewhere=True)


def _number(api: Any, spec: WorkloadSpec, script: str, *, elsewhere: bool) -> int:  # noqa: ANN401
    with helper(api, spec, ["sh", "-c", script], elsewhere=elsewhere) as running:
        said = b"".join(running.output())
        running.check(f"looking at the disk for {spec.volume}")
    return int(said)


def copy(
    source_api: Any,  # noqa: ANN401
    source: WorkloadSpec,
    target_api: Any,  # noqa: ANN401
    target: WorkloadSpec,
    told: Callable[[int], None],
    *,
    at_rest: bool,
) -> int:
    """Make one volume the same as another; what is the same already is not carried.

    Args:
        told: how many bytes have been carried so far.
        at_rest: nothing changes the source meanwhile, so that all of it must come over.

    Returns:
        How many bytes were carried.
    """
    # The pool comes first: it waits for its thread, which ends when the containers are gone.
    with (
        ThreadPoolExecutor(1) as pool,
        helper(source_api, source, [f"{_TOOLS}/send"]) as sender,
        helper(target_api, target, [f"{_TOOLS}/receive"], writes=True) as receiver,
    ):
        back = pool.submit(lambda: sender.give(receiver.output()))
        carried = receiver.give(sender.output(), told)
        back.result()
        what = f"copying {source.volume} to {target.node}"
        receiver.check(what, () if at_rest else _MOVED_ON)
        sender.check(what, () if at_rest else _MOVED_ON)
    return carried


def pack(api: Any, spec: WorkloadSpec) -> Iterator[bytes]:  # noqa: ANN401
    """The tree of a volume as a tar in pieces, whose last 1024 bytes end it."""
    with helper(api, spec, [*_PACK, spec.mount, "."]) as running:
        yield from running.output()
        running.check(f"packing {spec.volume}")


def snapshot(api: Any, spec: WorkloadSpec) -> Iterator[bytes]:  # noqa: ANN401
    """The home on a volume that may be in use, as it is at one moment, as a tar in pieces."""
    with helper(api, spec, [f"{_TOOLS}/snapshot"], as_owner=True) as running:
        yield from running.output()
        running.check(f"reading {spec.volume}")


def unpack(api: Any, spec: WorkloadSpec, archive: Iterable[bytes]) -> None:  # noqa: ANN401
    """Lay the tree of a tar on a volume, and have it on disk."""
    with (
        ThreadPoolExecutor(1) as pool,
        helper(api, spec, ["sh", "-c", _UNPACK.format(spec.mount)], writes=True) as running,
    ):
        said = pool.submit(lambda: list(running.output()))
        running.give(archive)
        said.result()
        running.check(f"unpacking {spec.volume}")


def read(api: Any, spec: WorkloadSpec, paths: Iterable[str]) -> dict[str, bytes]:  # noqa: ANN401
    """Files of a volume by path; of a folder, those in it."""
    return {file.path: file.content for file in _files(api, spec, _READ, *paths)}


def queued(api: Any, spec: WorkloadSpec) -> list[File]:  # noqa: ANN401
    """The messages in Postfix's queue on a volume, by their path in it."""
    return _files(api, spec, _QUEUED)


def _files(api: Any, spec: WorkloadSpec, script: str, *words: str) -> list[File]:  # noqa: ANN401
    """What a script packs."""
    with helper(api, spec, ["sh", "-c", script.format(spec.mount), "sh", *words]) as running:
        packed = b"".join(running.output())
        running.check(f"reading {spec.volume}")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        found = {member: tree.extractfile(member) for member in tree.getmembers()}
        return [File(member.name, file.read(), member.mode) for member, file in found.items() if file]


def own(api: Any, spec: WorkloadSpec) -> None:  # noqa: ANN401
    """Give the files of an account's volume back to their users."""
    with helper(api, spec, [f"{_TOOLS}/own"], writes=True) as running:
        for _ in running.output():
            pass
        running.check(f"correcting the owners on {spec.volume}")


def accounts(api: Any, instance: str) -> set[str]:  # noqa: ANN401
    """Ids of the accounts that helpers of a system are there for, running or not."""
    return {one["Labels"][LABEL_ID] for one in _found(api, instance)}


def remove(api: Any, instance: str, account: str) -> None:  # noqa: ANN401
    """End and remove an account's helpers."""
    for one in _found(api, instance):
        if one["Labels"][LABEL_ID] == account:
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_container(one["Id"], force=True, v=True)


def _found(api: Any, instance: str) -> list[dict[str, Any]]:  # noqa: ANN401
    labels = [f"{LABEL_INSTANCE}={instance}", f"{LABEL_ROLE}={ROLE}"]
    found: list[dict[str, Any]] = api.containers(all=True, filters={"label": labels})
    return found
