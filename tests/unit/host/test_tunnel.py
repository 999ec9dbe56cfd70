"""The way to another machine's engine."""

import socket
import sys

import pytest

from mailpod.host.tunnel import open_tunnel
from mailpod.model.errors import EngineUnreachable

SLOW = """#!{python}
import signal, socket, sys, time
end = sys.argv[sys.argv.index("-L") + 1].partition(":")[0]
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(end)
    time.sleep(0.3)
    listener.listen()
    signal.pause()
"""
REFUSED = "#!/bin/sh\necho '{}' >&2\nexit 255\n"


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Lays down what takes ssh's place."""

    def lay(script: str) -> None:
        program = tmp_path / "ssh"
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return lay


def test_it_is_open_when_somebody_takes_connections(ssh, tmp_path):
    ssh(SLOW.format(python=sys.executable))
    url = open_tunnel("node2", "root@192.0.2.2", 22, tmp_path / "key", ["ssh-ed25519 A"], "look")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(url.removeprefix("unix://"))


def test_what_ssh_says_is_told(ssh, tmp_path):
    ssh(REFUSED.format("Permission denied (publickey)."))
    with pytest.raises(EngineUnreachable, match=r"node2 cannot be reached at root@192\.0\.2\.2: Permission denied"):
        open_tunnel("node2", "root@192.0.2.2", 22, tmp_path / "key", ["ssh-ed25519 A"], "look")


def test_a_machine_with_another_host_key_is_told_apart_from_one_that_does_not_answer(ssh, tmp_path):
    ssh(REFUSED.format("Host key verification failed."))
    with pytest.raises(EngineUnreachable, match="has another SSH host key than it had") as refused:
        open_tunnel("node2", "root@192.0.2.2", 22, tmp_path / "key", ["ssh-ed25519 A"], "compare them")
    assert refused.value.hint == "compare them"
