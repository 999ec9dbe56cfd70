"""Garbage, endless lines and clients that do nothing: the daemons' own limits, and nobody else notices."""

import contextlib
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from tests.e2e.support.dripping import connected
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

pytestmark = pytest.mark.once

PORTS = [25, 143, 465, 587, 993, 4190, 80, 443, 2222]
MEGABYTE = 1024 * 1024


def pour(connection: socket.socket, data: bytes, times: int = 1) -> None:
    """Send as much of it as the server takes."""
    with contextlib.suppress(OSError):
        for _ in range(times):
            connection.sendall(data)


def rest(connection: socket.socket, seconds: float = 30) -> bytes:
    """All that the server still says, to the end that it has to make of the connection."""
    connection.settimeout(seconds)
    said = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
        while more := connection.recv(4096):
            said += more
    return said


def all_is_well(system: System, account: Account) -> None:
    """Mail arrives, and main's processes are those that ran before."""
    word = system.post(account.address)
    system.wait_for(account, word)


@pytest.fixture
def unharmed(system: System, alice: Account) -> Iterator[System]:
    """The system, which has to work after the test without having been started again."""
    started = system.main.attrs["State"]["StartedAt"]
    restarts = system.main.attrs["RestartCount"]
    yield system
    all_is_well(system, alice)
    assert system.main.attrs["State"]["StartedAt"] == started
    assert system.main.attrs["RestartCount"] == restarts


@pytest.mark.parametrize(
    ("number", "many"), [(25, 40), (143, 300), (465, 300), (587, 300), (993, 300), (80, 600), (443, 600), (2222, 20)]
)
def test_clients_that_do_nothing_keep_nobody_out(unharmed: System, alice: Account, number: int, many: int) -> None:
    """Silent connections to a port, close to what one address may have or far beyond; another is still served there."""
    with contextlib.ExitStack() as stack:
        for _ in range(many):
            stack.enter_context(socket.create_connection(("127.0.0.1", unharmed.port(number)), timeout=20))
        with connected(unharmed, number) as connection:
            if number in {80, 443}:
                connection.sendall(b"HEAD / HTTP/1.1\r\nHost: webmail.club.test\r\nConnection: close\r\n\r\n")
            start = time.monotonic()
            assert connection.recv(20)
            assert time.monotonic() - start < 10
        all_is_well(unharmed, alice)


@pytest.mark.usefixtures("drips")
@pytest.mark.parametrize("number", PORTS)
def test_garbage_does_no_harm(unharmed: System, number: int) -> None:
    """Random bytes, with and without the protocol's line ends."""
    for garbage in (os.urandom(100_000), b"\r\n".join(os.urandom(500) for _ in range(100)), b"\x00" * 10_000):
        with connected(unharmed, number) as connection:
            pour(connection, garbage)


@pytest.mark.parametrize("number", [25, 587])
def test_an_endless_smtp_line_ends_in_a_refusal(unharmed: System, number: int) -> None:
    """RFC 5321 section 4.5.3.1.4 allows 512 octets; many megabytes without a line end must not fill memory."""
    with connected(unharmed, number) as connection:
        assert connection.recv(200).startswith(b"220")
        before = memory(unharmed)
        pour(connection, b"A" * MEGABYTE, 50)
        assert connection.recv(200).startswith(b"5")
        assert memory(unharmed) - before < 60 * MEGABYTE


@pytest.mark.parametrize("number", [143, 993])
def test_an_endless_imap_line_and_a_huge_literal_are_refused(unharmed: System, number: int) -> None:
    """Before login nobody may hand in more than a login needs."""
    for opening in (b"a LOGIN ", b"a LOGIN {2000000000+}\r\n", b"a " + b"(" * 100_000):
        with connected(unharmed, number) as connection:
            connection.recv(500)
            before = memory(unharmed)
            pour(connection, opening)
            pour(connection, b"A" * MEGABYTE, 30)
            assert re.search(rb"^(a|\*) (BAD|BYE|NO) ", rest(connection), re.MULTILINE)
            assert memory(unharmed) - before < 60 * MEGABYTE


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: webmail.club.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: webmail.club.test\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: webmail.club.test\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: club.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"BREW /pot HTTP/9.9\r\n\r\n",
    ],
    ids=["path", "header", "headers", "length", "two-lengths", "method"],
)
def test_a_malformed_or_huge_http_request_is_refused(unharmed: System, request_head: bytes) -> None:
    with connected(unharmed, 443) as connection:
        pour(connection, request_head)
        assert re.match(rb"HTTP/\d\.\d (4\d\d|505) ", rest(connection))


def memory(system: System) -> int:
    """Bytes that main uses now."""
    now = system.engine.client.api.stats(str(system.main.id), stream=False, one_shot=True)["memory_stats"]
    return int(now["usage"]) - int(now["stats"].get("total_inactive_file", now["stats"].get("inactive_file", 0)))


def test_a_client_that_drips_its_request_is_cut_off(unharmed: System) -> None:
    """One byte of a header a second does not hold a web connection for ever."""
    with connected(unharmed, 443) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: webmail.club.test\r\n")

        def cut_off() -> bool:
            try:
                connection.sendall(b"X")
                connection.settimeout(0.5)
                return connection.recv(10) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(cut_off, "the end of a dripping connection", 40, every=0.5)


def test_a_client_that_errs_again_and_again_is_cut_off(unharmed: System) -> None:
    """Postfix's hard error limit."""
    with connected(unharmed, 25) as connection:
        connection.recv(200)
        for _ in range(50):
            pour(connection, b"NONSENSE\r\n")
        assert b"421 4.7.0" in rest(connection)


def test_one_address_cannot_keep_the_operator_out(unharmed: System) -> None:
    """120 silent SSH connections from outside take up to their limit, and accounts can be made all the same."""
    unharmed.world.run("rm", "--force", "/tmp/open", "/tmp/done")
    script = (
        f"for i in {{1..120}}; do exec {{f}}<>/dev/tcp/{unharmed.world.main_address}/22; done; touch /tmp/open; "
        "until [ -e /tmp/done ]; do sleep 0.1; done"
    )
    assert unharmed.world.container
    unharmed.world.container.exec_run(["bash", "-c", script], detach=True)
    until(lambda: unharmed.world.run("test", "-e", "/tmp/open")[0] == 0, "120 connections")
    try:
        unharmed.cli.ok("account", "list")
        unharmed.create("amid-silence")
    finally:
        unharmed.world.run("touch", "/tmp/done")


def test_a_client_may_guess_but_slowly(unharmed: System, alice: Account) -> None:
    """Wrong passwords are answered with a growing delay or the end of the session, and do not lock the owner out."""
    start = time.monotonic()
    said = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError), connected(unharmed, 993) as connection:
        connection.recv(500)
        for number in range(4):
            connection.sendall(f"a{number} LOGIN {alice.name} wrong{number}\r\n".encode())
            said += connection.recv(500)
    assert b"a0 NO " in said
    assert time.monotonic() - start > 2
    with unharmed.mailbox(alice) as mailbox:
        assert mailbox.session.noop()[0] == "OK"
