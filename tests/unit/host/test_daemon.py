import os
import time

import pytest

from mailpod.host import daemon
from mailpod.host.facts import Answer
from mailpod.model.errors import EngineUnreachable


def test_is_alive_wants_the_same_name(tmp_path):
    pid_file = tmp_path / "docker.pid"
    assert not daemon.is_alive(pid_file, "dockerd", tmp_path)
    pid_file.write_text("77\n")
    assert not daemon.is_alive(pid_file, "dockerd", tmp_path)
    (tmp_path / "77").mkdir()
    (tmp_path / "77/comm").write_text("cron\n")
    assert not daemon.is_alive(pid_file, "dockerd", tmp_path)
    (tmp_path / "77/comm").write_text("dockerd\n")
    assert daemon.is_alive(pid_file, "dockerd", tmp_path)
    pid_file.write_text("")
    assert not daemon.is_alive(pid_file, "dockerd", tmp_path)


@pytest.fixture
def own_files(tmp_path, monkeypatch):
    pid_file = tmp_path / "docker.pid"
    monkeypatch.setattr(daemon, "LOG", tmp_path / "log")
    monkeypatch.setattr(daemon, "_DOCKERD_PID", pid_file)
    monkeypatch.setattr(daemon, "_PID_FILES", {pid_file: "dockerd"})
    return tmp_path


def test_a_daemon_that_ends_is_reported_with_its_last_words(own_files, monkeypatch):
    monkeypatch.setattr(daemon, "ping", lambda timeout: Answer.SILENT)
    with pytest.raises(EngineUnreachable, match="ended at once: no cgroups"):
        daemon.start(["sh", "-c", "echo no cgroups"], detached=True)


def test_a_daemon_that_never_answers_has_a_deadline(own_files, monkeypatch):
    monkeypatch.setattr(daemon, "ping", lambda timeout: Answer.SILENT)
    monkeypatch.setattr(daemon, "_ANSWER_SECONDS", 0.1)
    with pytest.raises(EngineUnreachable, match="does not answer"):
        daemon.start(["sleep", "1"], detached=True)


def test_a_daemon_that_comes_up_already_is_waited_for(own_files, monkeypatch):
    answers = iter([Answer.SILENT, Answer.SILENT, Answer.OK])
    monkeypatch.setattr(daemon, "ping", lambda timeout: next(answers))
    monkeypatch.setattr(daemon, "is_alive", lambda path, name: True)
    daemon.start(["sh", "-c", "echo started >&2"], detached=True)
    assert not (own_files / "log").exists()


def test_a_stale_pid_file_goes_before_the_start(own_files, monkeypatch):
    stale = own_files / "docker.pid"
    stale.write_text(str(os.getpid()))
    seen = []
    monkeypatch.setattr(daemon, "_spawn", lambda command: seen.append((command, stale.exists())))
    monkeypatch.setattr(daemon, "ping", lambda timeout: Answer.OK)
    daemon.start(["dockerd"], detached=True)
    assert seen == [(["dockerd"], False)]


def test_the_daemon_holds_no_pipe_of_its_caller(own_files):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    process = daemon._spawn(["sleep", "5"])
    os.close(writer)
    started = time.monotonic()
    assert os.read(reader, 1) == b""
    assert time.monotonic() - started < 2
    assert os.getsid(process.pid) == process.pid
    os.close(reader)
    process.kill()
    process.wait()
