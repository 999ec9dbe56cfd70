"""What the engine lets a container do, and what lies where."""

import re
import stat
import time
from typing import Any

import pytest
from docker.models.containers import Container
from tests.e2e.support.engine import execute, facts
from tests.e2e.support.system import Account, System
from tests.e2e.support.wait import until

# capabilities(7): none of these belongs to a mail server.
FORBIDDEN = {"SYS_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_MODULE", "MKNOD", "SETFCAP"}
# An account's process 1 sets a packet filter with two more, and then gives them up: see test_network.py.
MAINS = FORBIDDEN | {"NET_ADMIN", "SETPCAP"}


@pytest.fixture(params=["main", "account"])
def inspected(system: System, alice: Account, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What `docker inspect` tells of main and of an account."""
    return facts(system.main if request.param == "main" else system.engine.account(alice.name))


def test_capabilities_are_dropped_and_none_can_be_gained(inspected: dict[str, Any]) -> None:
    host = inspected["HostConfig"]
    assert [name.upper() for name in host["CapDrop"]] == ["ALL"]
    added = {name.upper().removeprefix("CAP_") for name in host["CapAdd"]}
    assert not added & (FORBIDDEN if inspected["Config"]["Labels"]["mailpod.role"] == "account" else MAINS)
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    assert not host["Privileged"]


def test_the_root_file_system_is_read_only(inspected: dict[str, Any]) -> None:
    assert inspected["HostConfig"]["ReadonlyRootfs"]


def test_processes_are_limited(inspected: dict[str, Any]) -> None:
    assert 0 < inspected["HostConfig"]["PidsLimit"] <= 1024


def test_an_accounts_memory_is_limited(system: System, alice: Account) -> None:
    assert facts(system.engine.account(alice.name))["HostConfig"]["Memory"] == 256 * 1024 * 1024


def test_no_engine_socket_no_host_folder_and_no_host_namespace(system: System, inspected: dict[str, Any]) -> None:
    """Main has two secrets of its own as files; an account has its volume and nothing else."""
    for mount in inspected["Mounts"]:
        assert "docker.sock" not in mount.get("Source", "")
        if mount["Type"] == "bind":
            assert mount["Destination"].startswith("/run/secrets/")
            assert mount["Source"].startswith(str(system.cli.state))
            assert not mount["RW"]
    host = inspected["HostConfig"]
    assert host["NetworkMode"] != "host"
    assert host["PidMode"] == ""
    assert host["IpcMode"] in {"private", "none"}


def test_no_secret_is_in_the_environment_the_labels_or_the_command(
    system: System, alice: Account, inspected: dict[str, Any]
) -> None:
    """Whoever may look at containers learns no password and no key."""
    config = inspected["Config"]
    visible = " ".join(
        [*config["Env"], *config["Labels"].values(), *(config["Cmd"] or []), *(config["Entrypoint"] or [])]
    )
    assert alice.password not in visible
    assert not re.search(r"PRIVATE KEY|password|passwd=|secret=", visible, re.IGNORECASE)
    secrets = [path for path in (system.cli.state / "secrets").rglob("*") if path.is_file()]
    for path in secrets:
        for line in path.read_text(errors="replace").splitlines():
            if len(line) > 20 and not line.startswith(("-----", "ssh-ed25519")):
                assert line not in visible, path


def test_no_password_is_logged(system: System, alice: Account) -> None:
    with system.mailbox(alice):
        pass
    logs = "".join(container.logs().decode(errors="replace") for container in system.engine.containers())
    assert alice.password not in logs


@pytest.mark.once
def test_secrets_in_the_state_folder_are_the_operators_alone(system: System) -> None:
    """0600 and 0700, whatever the umask."""
    for path in (system.cli.state / "secrets").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.suffix not in {".pub", ".crt"} and "cert" not in path.name:
            assert mode == 0o600, path


@pytest.mark.parametrize("where", ["main", "account"])
def test_private_keys_inside_have_mode_0600(system: System, alice: Account, where: str) -> None:
    """Wherever they lie: on the volume, among the secrets, and in what is made from them at each start."""
    container = system.main if where == "main" else system.engine.account(alice.name)
    command = (
        "find /data /run -type f -exec grep -lsE -- '^-----BEGIN .*PRIVATE KEY' {} + | xargs -r stat -c '%a %U %n'"
    )
    # Root inside may not read what belongs to others, so each user looks.
    users = execute(container, "cut", "-d:", "-f1", "/etc/passwd")[1].split()
    found = [execute(container, "sh", "-c", f"{{ {command}; }} 2>/dev/null", user=user)[1] for user in users]
    lines = sorted({line for text in found for line in text.splitlines()})
    assert len(lines) >= 2
    for line in lines:
        assert line.startswith("600 "), line


def test_an_account_has_no_key_but_its_own(system: System, alice: Account, bob: Account) -> None:
    """Neither the authority's, nor main's, nor another account's."""

    def keys(name: str) -> set[str]:
        command = "find /data -name '*key*' -type f ! -name '*.pub' -exec sha256sum {} +"
        container = system.main if name == "main" else system.engine.account(name)
        lines = execute(container, "sh", "-c", command, user="root")[1].splitlines()
        return {line.split()[0] for line in lines if "PRIVATE" in private(container, line.split()[1])}

    def private(container: Container, path: str) -> str:
        return execute(container, "head", "-1", path, user="root")[1]

    alices, bobs, mains = keys(alice.name), keys(bob.name), keys("main")
    assert alices
    assert not alices & bobs
    assert not alices & mains
    assert not bobs & mains


def processes(system: System) -> list[tuple[str, str]]:
    """User and command of every process in main."""
    script = (
        "for p in /proc/[0-9]*; do c=$(tr '\\0' ' ' < $p/cmdline); [ -n \"$c\" ] && "
        'echo "$(stat -c %U $p) $c"; done 2>/dev/null'
    )
    lines = execute(system.main, "sh", "-c", script)[1].splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if " " in line]


@pytest.mark.once
def test_each_daemon_of_main_runs_as_its_own_user(system: System) -> None:
    """What talks to strangers is not root, and no two daemons share a user."""
    running = processes(system)

    def users(pattern: str) -> set[str]:
        return {user for user, command in running if re.search(pattern, command)} - {"root"}

    web, php, postfix, dovecot = (
        users("^nginx:"),
        users("php-fpm:"),
        users("qmgr"),
        users("(imap|submission)-login"),
    )
    for found in (web, php, postfix, dovecot):
        assert found, running
    assert not php & (web | postfix | dovecot)
    assert not postfix & dovecot


@pytest.mark.once
@pytest.mark.parametrize("what", ["keys", "tables", "spool"])
def test_webmails_user_cannot_read_what_belongs_to_other_daemons(system: System, what: str) -> None:
    """TLS keys, main's tables (with the accounts' relay logins), and mail in Postfix's queue."""
    php = next(user for user, command in processes(system) if "php-fpm:" in command)
    places = {
        "keys": "find /data/etc/tls/ /run/secrets -name '*key*'",
        "tables": "find /data -path '*dovecot*' -type f; find /data -path '*postfix*' -type f",
        "spool": "find /data /var/spool/postfix -type d '(' -name maildrop -o -name incoming -o -name deferred ')'",
    }
    paths = execute(system.main, "sh", "-c", f"{places[what]} 2>/dev/null", user="root")[1].split()
    paths = [path for path in paths if "roundcube" not in path]
    assert paths
    for path in paths:
        code, _ = execute(system.main, "sh", "-c", f"test -d {path} && ls {path} || cat {path}", user=php)
        assert code != 0, f"{php} reads {path}"


def test_a_container_stops_cleanly_within_its_time(system: System) -> None:
    """SIGTERM ends an account in under ten seconds, and by itself."""
    account = system.create("stopper")
    container = system.engine.account(account.name)
    start = time.monotonic()
    container.stop(timeout=20)
    assert time.monotonic() - start < 10
    assert facts(container)["State"]["ExitCode"] in {0, 143}
    system.cli.ok("account", "delete", "stopper", "--purge", "--yes")


IMAP_SERVICE = {"classic": "imap", "dovecot": "dovecot"}


@pytest.mark.parametrize(("where", "service"), [("main", "dovecot"), ("account", "imap"), ("account", "postfix")])
def test_the_health_check_tells_the_truth(system: System, alice: Account, where: str, service: str) -> None:
    """The command that the engine runs for it fails while a service is down, and succeeds when it is back."""
    container = system.main if where == "main" else system.engine.account(alice.name)
    if service == "imap":
        service = IMAP_SERVICE[system.stack]
    kind, *check = facts(container)["Config"]["Healthcheck"]["Test"]
    assert kind == "CMD"
    until(lambda: execute(container, *check)[0] == 0, "health")
    execute(container, "s6-svc", "-wD", "-d", f"/run/service/{service}")
    try:
        assert execute(container, *check)[0] != 0
    finally:
        execute(container, "s6-svc", "-u", f"/run/service/{service}")
    until(lambda: execute(container, *check)[0] == 0, "health")
