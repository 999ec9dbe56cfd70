"""Bad input on the command line is refused before anything is touched, in one line what and one line what next.

What a shell, the launcher, the file system and the engine have a part in; tests/unit/cli tries far more.
"""

import http.server
import signal
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.support.cli import Cli, Result
from tests.e2e.support.system import System

BAD_NAMES = ["", "-alice", "al ice", "../bob", "élise", "$(id)", "a\nb"]

pytestmark = [pytest.mark.usefixtures("alice", "bob"), pytest.mark.once]


@pytest.fixture
def untouched(system: System) -> Iterator[System]:
    """The system, of which nothing may be different after the test."""

    def picture() -> tuple[object, ...]:
        files = {path: path.read_bytes() for path in sorted(system.cli.state.rglob("*")) if path.is_file()}
        running = {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in system.engine.containers()}
        return files, running, system.engine.volumes(), system.engine.networks()

    before = picture()
    yield system
    assert picture() == before


def refused(result: Result, code: int) -> None:
    assert result.code == code, (result.command, result.code, result.err)
    assert len(result.complaint) == 2, result.err
    assert all(result.complaint)
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_label_is_refused(untouched: System, name: str) -> None:
    refused(untouched.cli.run("account", "create", "--json", "--", name), 2)


@pytest.mark.parametrize("password", ["", "x" * 5000 + "\n", "tab\tand\x01control\n"])
def test_a_password_that_cannot_be_is_refused(untouched: System, password: str) -> None:
    """None, too long, with control characters; when creating and when changing."""
    refused(untouched.cli.run("account", "create", "newcomer", "--password-stdin", stdin=password), 2)
    refused(untouched.cli.run("account", "passwd", "alice", "--password-stdin", stdin=password), 2)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
        b"\xff\xfe\x00\x01",
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKp\nssh-rsa x\n",
    ],
)
def test_a_file_that_is_no_public_key_is_refused(untouched: System, tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, a private key, binary, two lines that are none."""
    file = tmp_path / "key.pub"
    if content is not None:
        file.write_bytes(content)
    refused(untouched.cli.run("account", "create", "newcomer", "--ssh-key", str(file)), 2)
    refused(untouched.cli.run("account", "create", "newcomer", "--ssh-key", str(tmp_path)), 2)


@pytest.mark.parametrize(
    "options",
    [
        ["--memory", "lots"],
        ["--memory", "-5m"],
        ["--no-such-option"],
        ["another-name"],
    ],
)
def test_an_option_that_cannot_be_is_refused(untouched: System, options: list[str]) -> None:
    refused(untouched.cli.run("account", "create", "newcomer", *options), 2)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["account", "create", "alice"], 4),
        (["account", "create", "ALICE"], 4),
        (["account", "delete", "nobody", "--yes"], 3),
        (["account", "delete", "nobody", "--yes", "--purge"], 3),
        (["account", "show", "nobody"], 3),
        (["account", "delete", "alice"], 2),
        (["account", "set", "alice"], 2),
        (["alias", "add", "contact", "nobody@club.test"], 3),
        (["alias", "add", "contact", "not an address"], 2),
        (["alias", "add", "alice", "bob"], 4),
        (["no-such-command"], 2),
    ],
)
def test_what_is_not_there_or_there_already_has_its_own_code(
    untouched: System, arguments: list[str], code: int
) -> None:
    refused(untouched.cli.run(*arguments), code)


@pytest.mark.parametrize("domain", ["", "not a domain", "-club.test"])
def test_a_domain_that_cannot_be_is_refused(system: System, tmp_path: Path, domain: str) -> None:
    elsewhere = Cli(tmp_path / "state", f"{system.cli.instance}x")
    refused(elsewhere.run("up", "--", domain), 2)
    assert not elsewhere.state.exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--port-base", "70000"],
        ["--port-base", "-1"],
    ],
)
def test_an_option_of_up_that_cannot_be_is_refused(system: System, tmp_path: Path, options: list[str]) -> None:
    elsewhere = Cli(tmp_path / "state", f"{system.cli.instance}x")
    refused(elsewhere.run("up", "other.test", *options), 2)
    assert not elsewhere.state.exists()


def test_up_with_another_domain_is_refused(untouched: System) -> None:
    refused(untouched.cli.run("up", "other.test"), 4)


def test_up_from_another_state_folder_takes_nothing_over(untouched: System, tmp_path: Path) -> None:
    elsewhere = Cli(tmp_path / "state", untouched.cli.instance)
    refused(elsewhere.run("up", "other.test", "--port-base", "30000"), 4)
    assert not elsewhere.state.exists()


def test_up_on_an_address_that_is_not_the_machines_leaves_main_alone(untouched: System) -> None:
    refused(untouched.cli.run("up", untouched.domain, "--bind", "192.0.2.99"), 1)


def test_up_on_a_port_that_is_taken_is_refused(untouched: System, tmp_path: Path) -> None:
    """By whatever program; and nothing of the second system is left."""
    second = Cli(tmp_path / "state", f"{untouched.cli.instance}x")
    arguments = ("up", "other.test", "--bind", "127.0.0.1", "--port-base", str(untouched.port_base))
    refused(second.run(*arguments), 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        base = taken.getsockname()[1] - 993
        result = second.run("up", "other.test", "--bind", "127.0.0.1", "--port-base", str(base))
    refused(result, 1)
    assert str(taken_port := base + 993) in result.err, taken_port
    assert not [name for name in untouched.engine.objects() if name.startswith(f"{untouched.cli.instance}x")]
    assert second.run("account", "list").code == 3


@pytest.mark.parametrize("arguments", [["account", "list"], ["status"], ["apply"], ["down"], ["ca"], ["alias", "list"]])
def test_a_command_without_a_system_says_so(system: System, tmp_path: Path, arguments: list[str]) -> None:
    nowhere = Cli(tmp_path / "state", f"{system.cli.instance}x")
    refused(nowhere.run(*arguments), 3)
    assert not nowhere.state.exists()


@pytest.mark.parametrize(
    "arguments", [["account", "create", "newcomer"], ["status"], ["apply"], ["account", "delete", "alice", "--yes"]]
)
def test_without_an_engine_the_exit_code_is_5(untouched: System, arguments: list[str]) -> None:
    refused(untouched.cli.run(*arguments, DOCKER_HOST="unix:///nonexistent"), 5)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["alias", "add", "contact+tag", "alice"], 2),
        (["alias", "add", "contact", "not an address"], 2),
        (["alias", "delete", "nobody"], 3),
        (["alias", "add", "contact", "alice"], 5),
        (["down"], 5),
        (["down", "--purge", "--yes"], 5),
    ],
)
def test_what_is_wrong_anyway_needs_no_engine(untouched: System, arguments: list[str], code: int) -> None:
    refused(untouched.cli.run(*arguments, DOCKER_HOST="unix:///nonexistent"), code)


def test_up_without_an_engine_leaves_nothing(system: System, tmp_path: Path) -> None:
    elsewhere = Cli(tmp_path / "state", f"{system.cli.instance}x")
    refused(elsewhere.run("up", "other.test", DOCKER_HOST="unix:///nonexistent"), 5)
    assert not elsewhere.state.exists()


class OldEngine(http.server.BaseHTTPRequestHandler):
    """An engine of 2013."""

    def do_GET(self) -> None:
        body = b'{"Version": "1.9.1", "ApiVersion": "1.21", "MinAPIVersion": "1.12", "Os": "linux"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Api-Version", "1.21")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def address_string(self) -> str:
        """A Unix socket's peer has no address."""
        return "local"


@contextmanager
def old_engine(path: Path) -> Iterator[str]:
    with socketserver.ThreadingUnixStreamServer(str(path), OldEngine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_that_is_too_old_is_refused(untouched: System, tmp_path: Path) -> None:
    with old_engine(tmp_path / "s") as url:
        for arguments in (["account", "create", "newcomer"], ["status"]):
            refused(untouched.cli.run(*arguments, DOCKER_HOST=url), 5)


def test_a_state_folder_that_cannot_be_written_is_told(system: System, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    elsewhere = Cli(tmp_path / "file" / "state", f"{system.cli.instance}x")
    result = elsewhere.run("up", "other.test", "--port-base", "29000")
    assert result.code in {1, 2}
    assert len(result.complaint) == 2, result.err


def test_a_traceback_is_shown_only_when_asked_for(untouched: System) -> None:
    result = untouched.cli.run("account", "show", "nobody", MAILPOD_DEBUG="1")
    assert result.code == 3
    assert "Traceback" in result.err


def test_a_standard_input_that_is_closed_is_no_password(untouched: System) -> None:
    cli = untouched.cli
    closed = Cli(cli.state, cli.instance, within=("sh", "-c", 'exec "$0" "$@" <&-'))
    refused(closed.run("account", "create", "newcomer", "--password-stdin"), 2)
    refused(closed.run("account", "delete", "alice"), 2)


def test_a_key_file_without_end_is_refused(untouched: System) -> None:
    refused(untouched.cli.run("account", "create", "newcomer", "--ssh-key", "/dev/zero", seconds=30), 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_create_that_is_ended_from_outside_leaves_nothing(untouched: System, number: signal.Signals) -> None:
    with untouched.cli.started("account", "create", "newcomer") as process:
        assert process.stderr
        said = next(line for line in process.stderr if line.startswith("· creating"))
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 1
    complaint = Result("", 1, "", said + rest).complaint
    assert complaint == ["mailpod: interrupted", "  bring everything into order with: mailpod apply"]


def test_help_tells_every_command(system: System) -> None:
    lines = (system.cli.ok("--help").out + system.cli.ok("account", "--help").out).splitlines()
    told = {line.split()[0] for line in lines if line.startswith("  ") and line.strip()}
    assert told >= {"up", "down", "status", "apply", "demo", "account", "alias"}
    assert told >= {"create", "list", "show", "passwd", "delete", "undelete", "set"}
