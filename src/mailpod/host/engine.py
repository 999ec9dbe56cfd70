"""An engine that answers: installed from the distribution and started where there is none.

What runs already is never restarted or reconfigured.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailpod.host import apt, daemon, limits
from mailpod.host.facts import SOCKET, Answer, Facts, gather
from mailpod.host.locks import lock
from mailpod.model.errors import EngineUnreachable

Candidates = Callable[[Sequence[str]], Mapping[str, str]]

DAEMON_JSON = Path("/etc/docker/daemon.json")
_NEEDED = ("compose", "ssh")
_SET_UP_SECONDS = 1800

# The package of a command that is missing, best first. Ubuntu's docker-compose does not run on its own
# Python; docker-compose-v2 does. docker-compose-plugin is in Docker's own archive.
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "compose": ("docker-compose-plugin", "docker-compose-v2", "docker-compose"),
    "ssh": ("openssh-client",),
    "mbsync": ("isync",),
    "sshd": ("openssh-server",),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, in this order."""

    install_engine: bool = False
    configure: bool = False
    commands: tuple[str, ...] = ()
    start: bool = False
    lift_limits: bool = False


def ensure_engine(console: Callable[[str], None], commands: Iterable[str] = ()) -> None:
    """Make sure an engine answers and that Compose, ssh and `commands` are there.

    Raises:
        EngineUnreachable: something is missing and cannot be set up here; the hint is what to run.
        MailpodError: the set-up was tried and failed.
    """
    _ensure((*_NEEDED, *commands), console, engine=True)


def ensure_commands(console: Callable[[str], None], commands: Iterable[str]) -> None:
    """Make sure that programs are there; the package of one is called like it unless told otherwise.

    Raises:
        EngineUnreachable: one is missing and cannot be installed here; the hint is what to run.
        MailpodError: the installation was tried and failed.
    """
    _ensure(tuple(commands), console, engine=False)


def _ensure(commands: tuple[str, ...], console: Callable[[str], None], *, engine: bool) -> None:
    if plan(gather(commands), engine=engine) == Plan():
        return
    with lock("host", _SET_UP_SECONDS):
        facts = gather(commands)  # another mailpod may have done it meanwhile
        _carry_out(plan(facts, engine=engine), facts, console)


def plan(facts: Facts, *, engine: bool, candidates: Candidates = apt.known) -> Plan:
    """Decide what to do, before anything is touched.

    Args:
        facts: what is so on this machine.
        engine: whether one is needed.
        candidates: tells which of some packages exist here, for the command a person is to run.

    Raises:
        EngineUnreachable: it cannot be done here; the hint is what to run.
    """
    needs_engine = engine and facts.answer is not Answer.OK
    if needs_engine and facts.answer is Answer.DENIED:
        raise EngineUnreachable(
            f"an engine runs, but this user may not use {SOCKET}",
            "run mailpod as root, or: sudo usermod -aG docker $USER, and log in again",
        )
    decided = Plan(
        install_engine=needs_engine and not facts.dockerd,
        configure=needs_engine and not facts.dockerd and not facts.daemon_json,
        commands=facts.missing,
        start=needs_engine,
        lift_limits=engine and limits.too_low(facts),
    )
    installs = decided.install_engine or bool(decided.commands)
    if decided != Plan() and (not facts.root or (installs and not facts.apt)):
        raise EngineUnreachable(_lack(decided), _by_hand(decided, facts, candidates))
    return decided


def _lack(decided: Plan) -> str:
    if decided.install_engine:
        return "no container engine is installed"
    if decided.start:
        return f"no container engine answers on {SOCKET}"
    return f"not installed: {', '.join(decided.commands)}"


def _by_hand(decided: Plan, facts: Facts, candidates: Candidates) -> str:
    if not facts.apt:
        return "install Docker Engine 20.10 or newer, Docker Compose and an SSH client, and start the engine"
    if not decided.install_engine and not decided.commands:
        return "run: sudo " + shlex.join(start_command(facts))
    return "run: " + apt.by_hand(packages(decided, facts, candidates(packages_asked(decided))))


def start_command(facts: Facts) -> list[str]:
    """The command line that starts the engine and, under systemd, starts it again at boot."""
    return ["systemctl", "enable", "--now", "docker.service"] if facts.systemd else ["dockerd"]


def packages_asked(decided: Plan) -> list[str]:
    """Every package that may have to be installed, for asking which of them exist."""
    engine = ["docker.io", "docker-cli"] if decided.install_engine else []
    return [*engine, *(package for name in decided.commands for package in _PACKAGES.get(name, (name,)))]


def packages(decided: Plan, facts: Facts, candidates: Mapping[str, str]) -> list[str]:
    """The packages to install, of those that exist here."""
    chosen: list[str] = []
    if decided.install_engine:
        # iptables, and ca-certificates for pulling, are only recommended by docker.io; docker-cli is a
        # package of its own from Debian 13 on. A kernel with AppArmor wants its parser.
        chosen += ["docker.io", "iptables", "ca-certificates"]
        chosen += ["docker-cli"] if "docker-cli" in candidates else []
        chosen += ["apparmor"] if facts.apparmor else []
    for name in decided.commands:
        offers = _PACKAGES.get(name, (name,))
        chosen.append(next((offer for offer in offers if offer in candidates), offers[-1]))
    return chosen


def daemon_config() -> dict[str, object]:
    """The engine's configuration where there was none.

    No userland proxy: it would hide the clients' addresses. No live restore: a Swarm forbids it.
    """
    return {
        "userland-proxy": False,
        "log-driver": "local",
        "log-opts": {"max-size": "10m", "max-file": "3"},
    }


def translates_ipv6(path: Path = DAEMON_JSON) -> bool:
    """Whether an engine before version 27 was told to filter and translate IPv6 as it does IPv4."""
    try:
        return bool(json.loads(path.read_text()).get("ip6tables"))
    except (OSError, ValueError):
        return False


def _carry_out(decided: Plan, facts: Facts, console: Callable[[str], None]) -> None:
    if decided.install_engine or decided.commands:
        _install(decided, facts, console)
    if decided.start:
        console("starting the container engine")
        daemon.start(start_command(facts), detached=not facts.systemd)
    if decided.lift_limits:
        limits.lift()


def _install(decided: Plan, facts: Facts, console: Callable[[str], None]) -> None:
    candidates = apt.candidates(packages_asked(decided))
    chosen = packages(decided, facts, candidates)
    console(f"installing {' '.join(chosen)}")
    if not decided.configure:
        apt.install(chosen)
        return
    # The package may start the engine by itself: its configuration has to be there before.
    _write_config(daemon_config(), DAEMON_JSON)
    try:
        apt.install(chosen)
    except BaseException:
        DAEMON_JSON.unlink()
        raise


def _write_config(config: Mapping[str, object], path: Path) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2) + "\n")
