import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from mailpod.engine import compose
from mailpod.model.errors import EngineUnreachable, MailpodError

ENVIRONMENT = {"MAILPOD_INSTANCE": "mailpod", "MAILPOD_DOMAIN": "example.org"}
FILES = [Path("/x/compose.yaml"), Path("/state/more.yaml")]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Only the programs the test makes are on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    compose.command.cache_clear()
    yield tmp_path
    compose.command.cache_clear()


def program(folder, name, code=0, said=""):
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"json.dump([sys.argv[1:], dict(os.environ)], open({str(folder / 'called')!r}, 'w'))\n"
        f"print({said!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    path.chmod(0o755)


def called(folder):
    return json.loads((folder / "called").read_text())


def test_the_plugin_is_preferred(programs):
    program(programs, "docker")
    program(programs, "docker-compose")
    assert compose.command() == ("docker", "compose")


def test_the_command_is_used_where_there_is_no_plugin(programs):
    program(programs, "docker", code=1)
    program(programs, "docker-compose")
    assert compose.command() == ("docker-compose",)


def test_neither_is_told(programs):
    with pytest.raises(EngineUnreachable) as missing:
        compose.command()
    assert "apt-get install docker-compose" in missing.value.hint


def test_the_command_lines(programs):
    program(programs, "docker-compose")
    project = ["--file", "/x/compose.yaml", "--file", "/state/more.yaml", "--project-name", "mailpod"]
    compose.up(FILES, ENVIRONMENT)
    arguments, environment = called(programs)
    assert arguments == [*project, "up", "--detach", "--no-build"]
    assert environment["MAILPOD_DOMAIN"] == "example.org"
    assert environment["PATH"] == os.environ["PATH"]
    compose.down(FILES, ENVIRONMENT)
    assert called(programs)[0] == [*project, "down"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("first\n\n  the reason  \n\n", "the reason"),
        (
            "ERROR: for main  the reason\nEncountered errors while bringing up the project.",
            "ERROR: for main  the reason",
        ),
        ("", "exit code 17"),
    ],
)
def test_a_failure_is_told_in_one_line(programs, said, reason):
    program(programs, "docker-compose", code=17, said=said)
    with pytest.raises(MailpodError, match=f"Docker Compose failed: {reason}$"):
        compose.up(FILES, ENVIRONMENT)


@pytest.mark.parametrize(
    ("name", "version", "engine", "refused"),
    [
        ("docker-compose", "1.29.2", "28.5.2+dfsg4", True),
        ("docker-compose", "1.29.2", "26.0.0", True),
        ("docker-compose", "1.29.2", "25.0.5", False),
        ("docker-compose", "2.26.1", "28.5.2", False),
        ("docker", "", "28.5.2", False),
    ],
)
def test_a_compose_that_would_end_main_and_fail_is_refused(programs, name, version, engine, refused):
    program(programs, name)
    if version:
        (programs / name).write_text(f"#!/bin/sh\necho {version}\n")
    told = contextlib.nullcontext() if not refused else pytest.raises(EngineUnreachable, match=f"{version} is too old")
    with told:
        compose.check(engine)


@pytest.mark.parametrize("host", ["tcp://engine.test:2376", ""])
def test_compose_uses_the_engine_that_the_sdk_uses(programs, monkeypatch, host):
    """Whatever the user's `docker context` says."""
    program(programs, "docker-compose")
    monkeypatch.setenv("DOCKER_HOST", host)
    compose.up(FILES, ENVIRONMENT)
    assert called(programs)[1]["DOCKER_HOST"] == (host or "unix:///var/run/docker.sock")
