"""The operator's channel into the containers of a `World`."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator

from tests.fakes.world import Container, World

from mailpod.model.archive import File
from mailpod.model.errors import MailpodError
from mailpod.model.spec import LABEL_ACCOUNT, LABEL_ID, LABEL_INSTANCE, LABEL_ROLE
from mailpod.services.channel import ChannelClosed, Refused


class FakeChannel:
    """Behaves as `mailpod.services.channel.Channel` does: same verbs, same errors.

    Attributes:
        queue: what main's queue prints.
        queues: what the queues of accounts print, by name; what is not there prints nothing.
        room: what an account says of the room on its volume.
        refusals: what main prints of refusals.
        clock: by how many seconds the containers' clock is ahead.
        disk: what they say of their volume's disk: bytes free and in all, inodes free and in all.
        answers: what single verbs print, by the whole verb.
        asked: what was asked about single messages, and of whom.
        last_use: when every app password was used last, in seconds since 1970.
    """

    def __init__(self, world: World, instance: str, step: Callable[[str], None]) -> None:
        self._world = world
        self._instance = instance
        self._step = step
        self.queue = b""
        self.queues: dict[str, bytes] = {}
        self.room = b"1000000000\n0\n0\n"
        self.refusals = b""
        self.answers: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.last_use = 0
        self.clock = 0
        self.disk = "  50000000000 100000000000 1000000 2000000"

    def main(self, verb: str, files: Iterable[File] = ()) -> bytes:
        self._step(f"channel main {verb}")
        container = self._find(LABEL_ROLE, "main")
        if verb.startswith("check "):
            if container.image in self._world.ignorant_images:
                raise MailpodError("main: unknown verb: expected deploy or queue", "see: mailpod status")
            return b""
        if verb.startswith(("forget ", "traces ")):
            return b""
        if " " in verb:
            return self._about_messages("main", verb)
        self._deploy(container, files)
        if verb == "examine":
            return self._examined(container)
        said = {"refusals": self.refusals, "queue": self.queue, "resolver": self._world.resolver}
        return said.get(verb, b"")

    def account(self, name: str, public: str, verb: str, files: Iterable[File] = (), seconds: float = 60) -> bytes:
        self._step(f"channel {name} {verb}")
        container = self._find(LABEL_ACCOUNT, name)
        there = self._world.volumes[container.volume].files.get("etc/ssh/ssh_host_ed25519_key.pub")
        if there is None or there.content.decode().strip() != public:
            raise Refused(f"{name} cannot be reached: host key verification failed", "see: mailpod status")
        if verb.startswith("take-queue "):
            return self._take_queue(container, verb, files)
        if " " in verb:
            return self._about_messages(name, verb)
        if "app-password" in verb:
            return self._app_passwords(container, verb, [file.content.decode() for file in files])
        if not verb.endswith("-check"):
            self._deploy(container, files)
        if verb == "examine":
            return self._examined(container)
        if verb == "restore-messages":
            return str(len(list(files))).encode()
        return {"queue": self.queues.get(name, b""), "room": self.room}.get(verb, self.answers.get(verb, b""))

    @contextlib.contextmanager
    def await_account(self, name: str) -> Iterator[Callable[[], None]]:
        def answered() -> None:
            self._step(f"channel main await {name}")
            self._find(LABEL_ACCOUNT, name)

        yield answered

    @contextlib.contextmanager
    def hold(self, name: str, *, anew: bool) -> Iterator[None]:
        verb = f"hold {name} anew" if anew else f"hold {name}"
        self._step(f"channel main {verb}")
        self._find(LABEL_ROLE, "main")
        yield
        self._step(f"channel main end {verb}")

    def _take_queue(self, container: Container, verb: str, files: Iterable[File]) -> bytes:
        """Messages are taken once for each volume; the account notes it on its own."""
        there, noted = self._world.volumes[container.volume].files, f"spool/taken/{verb.split()[1]}"
        if noted not in there:
            there[noted] = File(noted, b"")
            *waiting, end = (file.path for file in files)
            assert end == "all"
            self._world.sent += waiting
        self._step(f"channel {verb} is done")
        return b""

    def _about_messages(self, element: str, verb: str) -> bytes:
        if verb not in self.answers:
            self.asked.append((element, verb))
        return self.answers.get(verb, b"")

    def _find(self, label: str, value: str) -> Container:
        for container in self._world.containers.values():
            ours = container.labels[LABEL_INSTANCE] == self._instance
            if ours and container.labels.get(label) == value and container.state == "running":
                return container
        raise ChannelClosed(f"{value} cannot be reached: no such host", "see: mailpod status")

    def _examined(self, container: Container) -> bytes:
        files = self._world.volumes[container.volume].files
        sums = [f"sum {hashlib.sha256(file.content).hexdigest()}  {path}" for path, file in files.items()]
        taken = container.labels.get(LABEL_ID) in self._world.strangers
        strangers = ["stranger home/Maildir/new/1"] if taken else []
        lines = [f"clock {int(time.time()) + self.clock}", f"disk {self.disk}", *sums, *strangers]
        return "".join(f"{line}\n" for line in lines).encode()

    def _app_passwords(self, container: Container, verb: str, given: list[str]) -> bytes:
        files = self._world.volumes[container.volume].files
        lines = files["etc/app_passwords"].content.decode().splitlines(True) if "etc/app_passwords" in files else []
        match verb:
            case "add-app-password":
                lines += given
            case "revoke-app-password":
                lines = [line for line in lines if line.partition("\t")[0] not in [name.strip() for name in given]]
            case _:
                told = ["\t".join([*line.split("\t")[:3], str(self.last_use)]) for line in lines]
                return "".join(f"{line}\n" for line in told).encode()
        files["etc/app_passwords"] = File("etc/app_passwords", "".join(lines).encode(), 0o600)
        return b""

    def _deploy(self, container: Container, files: Iterable[File]) -> None:
        files = list(files)
        tables = any(file.path.startswith("etc/tables/") for file in files)
        if tables and container.labels[LABEL_ROLE] != "main":
            raise MailpodError("tables are main's", "see: mailpod status")
        self._world.volumes[container.volume].files.update({file.path: file for file in files})
