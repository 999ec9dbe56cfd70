import os
import signal
import subprocess
import sys

import pytest

from mailpod.host.locks import lock, lock_path
from mailpod.model.errors import MailpodError

NAME = f"test-{os.getpid()}"
HOLDER = """
import sys
from mailpod.host.locks import lock
with lock(sys.argv[1], 5):
    print("held", flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def remove_lock():
    yield
    lock_path(NAME, os.getuid()).unlink(missing_ok=True)


@pytest.fixture
def holder():
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "src"},
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_at_a_time(holder):
    with pytest.raises(MailpodError, match="another mailpod"), lock(NAME, 0.1):
        pass


def test_a_killed_holder_lets_go(holder):
    holder.send_signal(signal.SIGKILL)
    with lock(NAME, 5):
        pass


def test_users_do_not_share_a_file():
    assert lock_path("host", 0) != lock_path("host", 1000)
