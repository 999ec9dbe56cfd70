"""Docker's own words turned into ours; a server of the test's own plays the engine."""

import gc
import http.server
import json
import signal
import threading
from types import SimpleNamespace

import pytest

from mailpod.engine.docker import DockerEngine
from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import WorkloadSpec


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path = "/" + self.path.partition("?")[0].lstrip("/").removeprefix(f"v{self.server.api}/")
        self.server.asked.append(f"{self.command} {path}")
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.answers.get(path, (500, {"message": "storage is\nbroken"}))
        code, body = answer(self) if callable(answer) else answer
        content = b"" if code == 204 else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        if content:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815  (http.server looks for these names)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    """An engine that answers what the test tells it, and 500 to all else."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        served.asked, served.answers, served.api = [], {}, "1.41"
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{served.server_port}")
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def connect(server):
    """Connect to it, as a version of Docker."""
    made = []

    def engine(version="20.10.24", api="1.41"):
        server.api = api
        server.answers["/version"] = (200, {"Version": version, "ApiVersion": api, "MinAPIVersion": "1.12"})
        made.append(DockerEngine())
        return made[-1]

    yield engine
    for one in made:
        one._client.close()


@pytest.mark.parametrize("where", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "nonsense://x"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine(monkeypatch, where):
    monkeypatch.setenv("DOCKER_HOST", where)
    with pytest.raises(EngineUnreachable) as refused:
        DockerEngine()
    assert refused.value.hint
    del refused
    # The SDK leaves the socket that could not be connected to the garbage collector, which warns.
    gc.collect()


@pytest.mark.parametrize(("version", "api"), [("1.12.6", "1.24"), ("19.03.15", "1.40"), ("18.9", "1.9")])
@pytest.mark.filterwarnings("default")
def test_an_engine_that_is_too_old(connect, version, api):
    with pytest.raises(EngineUnreachable) as refused:
        connect(version, api).info()
    assert refused.value.exit_code == 5
    if api != "1.9":
        assert version in refused.value.what
        assert "too old" in refused.value.what


@pytest.mark.parametrize(("version", "api"), [("20.10.24", "1.41"), ("26.1.5", "1.45"), ("29.0", "1.100")])
def test_an_engine_that_is_new_enough(connect, version, api):
    info = connect(version, api).info()
    assert (info.kind, info.version, info.api) == ("docker", version, api)


def test_something_else_that_answers(server):
    server.answers["/version"] = (200, ["not Docker"])
    with pytest.raises(EngineUnreachable):
        DockerEngine()


NO_SWARM = (503, {"message": "This node is not a swarm manager."})

CALLS = {
    "has_image": lambda engine: engine.has_image("image:1"),
    "tag_image": lambda engine: engine.tag_image("image:1", "image:2"),
    "workloads": lambda engine: engine.workloads("mailpod"),
    "volumes": lambda engine: engine.volumes("mailpod"),
    "start": lambda engine: engine.start("mailpod-alice"),
    "volume_limit": lambda engine: engine.volume_limit("v"),
    "halt": lambda engine: engine.halt("mailpod-alice"),
    "remove": lambda engine: engine.remove("mailpod-alice"),
    "remove_volume": lambda engine: engine.remove_volume("mailpod-alice-1"),
    "remove_volumes": lambda engine: engine.remove_volumes("mailpod"),
    "memory": lambda engine: engine.memory(["mailpod-alice"]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_fault_of_the_engine_is_neither_gone_nor_unreachable(connect, call):
    with pytest.raises(MailpodError, match="the engine refused: storage is broken") as refused:
        CALLS[call](connect())
    assert not isinstance(refused.value, EngineUnreachable)


@pytest.mark.parametrize("call", CALLS)
def test_an_engine_that_goes_away_is_unreachable(connect, server, call, monkeypatch):
    engine = connect()
    server.shutdown()
    server.server_close()
    monkeypatch.setattr(server, "shutdown", lambda: None)
    engine._client.api.close()
    with pytest.raises(EngineUnreachable):
        CALLS[call](engine)


def test_a_removal_that_never_ends_is_given_up(connect, server, monkeypatch):
    server.answers["/containers/a/stop"] = (204, "")
    server.answers["/containers/a"] = (204, "")
    server.answers["/containers/a/json"] = (200, {"Id": "a"})
    server.answers["/services"] = NO_SWARM
    engine = connect()
    times = iter(range(0, 1000, 10))
    monkeypatch.setattr("mailpod.waiting.time", SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _s: None))
    with pytest.raises(MailpodError, match="a was not removed within 30 s"):
        engine.remove("a")


LIMITED = WorkloadSpec(
    name="mailpod-alice",
    image="i",
    hostname="h",
    network="n",
    aliases=(),
    volume="v",
    mount="/data",
    memory=1 << 30,
    pids=9,
    cpus=1,
    cpu_weight=9,
    capabilities=(),
    tmpfs={},
    environment={},
    labels={},
    disk=1 << 30,
)


@pytest.mark.parametrize(
    ("refusal", "asked"),
    [
        (None, ["1073741824"]),
        ("create v: quota size requested but no quota support", ["1073741824", None]),
        ("create v: the disk is full", ["1073741824"]),
    ],
)
def test_a_volume_is_limited_where_the_file_system_can(server, connect, refusal, asked):
    """What the local driver of Docker 20.10 and later says where it cannot."""
    engine = connect()
    given = []

    def create(handler):
        size = json.loads(handler.body).get("DriverOpts") or {}
        given.append(size.get("size"))
        return (500, {"message": refusal}) if refusal and size else (201, {"Name": "v"})

    server.answers |= {"/volumes/v": (404, {"message": "no such volume"}), "/volumes/create": create}
    with pytest.raises(MailpodError):  # the container itself is refused
        engine.create(LIMITED, [])
    assert given == asked


@pytest.mark.parametrize("cut", ["/volumes/create", "/containers/create"])
@pytest.mark.parametrize("refuses", [False, True])
def test_what_is_interrupted_while_the_engine_makes_something_ends_as_interrupted(
    server, connect, monkeypatch, cut, refuses
):
    """The engine makes what it was asked for all the same; what it does not let go is the caller's to see."""
    engine, there = connect(), []

    def make(handler):
        path = "/" + handler.path.partition("?")[0].removeprefix("/v1.41/")
        if path == cut:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        there.append(path)
        return 201, {"Id": "c", "Name": "v"}

    def remove(handler, made):
        if handler.command == "GET":
            return (200, {"Id": "c"}) if made in there else (404, {"message": "no such thing"})
        if refuses:
            return 409, {"message": "it is in use"}
        there.remove(made)
        return 204, ""

    server.answers |= {
        "/volumes/create": make,
        "/containers/create": make,
        "/volumes/v": lambda handler: remove(handler, "/volumes/create"),
        "/containers/mailpod-alice": lambda handler: remove(handler, "/containers/create"),
        "/containers/mailpod-alice/json": lambda handler: remove(handler, "/containers/create"),
        "/containers/mailpod-alice/stop": (204, ""),
        "/services": NO_SWARM,
        "/services/mailpod-alice": NO_SWARM,
    }
    times = iter(range(0, 1000, 10))
    monkeypatch.setattr("mailpod.waiting.time", SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _s: None))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.create(LIMITED, [])
    finally:
        signal.signal(signal.SIGINT, before)
    made = ["/volumes/create", "/containers/create"]
    assert there == (made[: made.index(cut) + 1] if refuses else [])


def test_the_limit_of_a_volume_is_told(server, connect):
    engine = connect()
    server.answers["/volumes/v"] = (200, {"Name": "v", "Options": {"size": "7"}})
    server.answers["/volumes/w"] = (200, {"Name": "w", "Options": None})
    server.answers["/volumes/x"] = (404, {"message": "no such volume"})
    assert [engine.volume_limit(name) for name in "vwx"] == [7, 0, 0]
