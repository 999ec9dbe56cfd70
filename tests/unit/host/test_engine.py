import dataclasses

import pytest

from mailpod.host.engine import Plan, daemon_config, packages, packages_asked, plan, start_command, translates_ipv6
from mailpod.host.facts import Answer, Facts
from mailpod.model.errors import EngineUnreachable

FRESH = Facts(
    root=True,
    apt=True,
    systemd=False,
    answer=Answer.SILENT,
    dockerd=False,
    daemon_json=False,
    apparmor=False,
    inotify_instances=8192,
    missing=("compose", "ssh"),
)
READY = dataclasses.replace(FRESH, answer=Answer.OK, dockerd=True, daemon_json=True, missing=())
STOPPED = dataclasses.replace(READY, answer=Answer.SILENT)


def but(facts, **changes):
    return dataclasses.replace(facts, **changes)


@pytest.mark.parametrize("root", [True, False])
def test_nothing_to_do_when_an_engine_answers(root):
    assert plan(but(READY, root=root, daemon_json=False), engine=True) == Plan()


def test_fresh_machine_gets_everything():
    assert plan(FRESH, engine=True) == Plan(
        install_engine=True, configure=True, commands=("compose", "ssh"), start=True
    )


def test_an_installed_engine_is_only_started():
    assert plan(but(STOPPED, daemon_json=False), engine=True) == Plan(start=True)


def test_a_configuration_that_exists_is_kept():
    decided = plan(but(FRESH, daemon_json=True), engine=True)
    assert decided.install_engine
    assert not decided.configure


def test_tools_alone_are_installed_beside_a_running_engine():
    assert plan(but(READY, missing=("compose",)), engine=True) == Plan(commands=("compose",))


def test_programs_alone_leave_the_engine_out():
    assert plan(but(FRESH, missing=()), engine=False) == Plan()


@pytest.mark.parametrize(
    ("facts", "what", "hint"),
    [
        (
            but(FRESH, root=False, missing=("compose", "ssh")),
            "no container engine is installed",
            (
                "run: sudo apt-get install --no-install-recommends "
                "docker.io iptables ca-certificates docker-compose openssh-client"
            ),
        ),
        (
            but(STOPPED, root=False, systemd=True),
            "no container engine answers on /var/run/docker.sock",
            "run: sudo systemctl enable --now docker.service",
        ),
        (
            but(STOPPED, root=False),
            "no container engine answers on /var/run/docker.sock",
            "run: sudo dockerd",
        ),
        (
            but(READY, root=False, missing=("ssh",)),
            "not installed: ssh",
            "run: sudo apt-get install --no-install-recommends openssh-client",
        ),
        (
            but(FRESH, apt=False),
            "no container engine is installed",
            "install Docker Engine 20.10 or newer, Docker Compose and an SSH client, and start the engine",
        ),
        (
            but(READY, root=False, answer=Answer.DENIED),
            "an engine runs, but this user may not use /var/run/docker.sock",
            "run mailpod as root, or: sudo usermod -aG docker $USER, and log in again",
        ),
    ],
)
def test_what_cannot_be_done_is_said_with_the_command_to_run(facts, what, hint):
    with pytest.raises(EngineUnreachable) as caught:
        plan(facts, engine=True, candidates=lambda _packages: BOOKWORM)
    assert (caught.value.what, caught.value.hint, caught.value.exit_code) == (what, hint, 5)


BOOKWORM = {"docker.io": "20.10.24+dfsg1-1", "docker-compose": "1.29.2-3", "openssh-client": "1:9.2p1"}
TRIXIE = {**BOOKWORM, "docker.io": "26.1.5+dfsg1-9", "docker-cli": "26.1.5+dfsg1-9"}
NOBLE = {**BOOKWORM, "docker.io": "28.2.2-0ubuntu1", "docker-compose-v2": "2.37.1+ds1-0ubuntu2"}


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (BOOKWORM, "docker.io iptables ca-certificates docker-compose openssh-client"),
        (TRIXIE, "docker.io iptables ca-certificates docker-cli docker-compose openssh-client"),
        (NOBLE, "docker.io iptables ca-certificates docker-compose-v2 openssh-client"),
    ],
)
def test_packages_by_distribution(candidates, expected):
    assert packages(plan(FRESH, engine=True), FRESH, candidates) == expected.split()


@pytest.mark.parametrize("candidates", [BOOKWORM, TRIXIE, NOBLE])
def test_a_person_is_told_what_would_be_installed(candidates):
    """On Ubuntu, docker-compose does not run on its own Python."""
    with pytest.raises(EngineUnreachable) as caught:
        plan(but(FRESH, root=False), engine=True, candidates=lambda _packages: candidates)
    chosen = packages(plan(FRESH, engine=True), FRESH, candidates)
    assert caught.value.hint.endswith(f" {' '.join(chosen)}")


def test_apparmor_comes_with_a_kernel_that_has_it():
    facts = but(FRESH, apparmor=True, missing=())
    assert "apparmor" in packages(plan(facts, engine=True), facts, BOOKWORM)


def test_every_package_that_may_be_chosen_is_asked_for():
    decided = Plan(install_engine=True, commands=("compose", "mbsync", "swaks"))
    assert packages_asked(decided) == [
        "docker.io", "docker-cli", "docker-compose-plugin", "docker-compose-v2", "docker-compose",
        "isync", "swaks",
    ]  # fmt: skip


def test_start_command():
    assert start_command(FRESH) == ["dockerd"]
    assert start_command(but(FRESH, systemd=True)) == ["systemctl", "enable", "--now", "docker.service"]


def test_an_engine_that_is_new_hides_no_address_behind_a_proxy():
    assert daemon_config()["userland-proxy"] is False


@pytest.mark.parametrize(
    ("text", "translates"),
    [('{"ip6tables": true}', True), ('{"ip6tables": false}', False), ("{}", False), ("{", False)],
)
def test_an_engine_that_was_told_to_translate_ipv6_is_known(tmp_path, text, translates):
    path = tmp_path / "daemon.json"
    assert translates_ipv6(path) is False
    path.write_text(text)
    assert translates_ipv6(path) is translates
