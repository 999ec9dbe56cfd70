"""Containers in the engine's own listing."""

import pytest

from mailpod.engine.containers import health, listed, workload


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("Up 3 minutes (healthy)", "healthy"),
        ("Up 3 minutes (unhealthy)", "unhealthy"),
        ("Up 1 second (health: starting)", "starting"),
        ("Up 3 minutes", ""),
        ("Exited (0) 3 minutes ago", ""),
    ],
)
def test_health(words, known):
    assert health(words) == known


ACCOUNT = {"mailpod.id": "a1", "mailpod.role": "account"}


def item(**changes):
    network = {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fd00::2"}
    return {
        "Names": ["/mailpod-alice"],
        "State": "running",
        "Status": "Up 3 minutes (healthy)",
        "Image": "image:1",
        "Labels": ACCOUNT,
        "NetworkSettings": {"Networks": {"mailpod": network}},
    } | changes


def test_a_container_in_a_listing():
    found = workload(item(), "mailpod")
    assert (found.name, found.status, found.health, found.ipv4, found.ipv6) == (
        "mailpod-alice",
        "running",
        "healthy",
        "172.18.0.2",
        "fd00::2",
    )


@pytest.mark.parametrize("state", ["exited", "dead", "paused", "removing"])
def test_whatever_does_not_run_is_stopped(state):
    found = workload(item(State=state, Status="Exited (0)", NetworkSettings={"Networks": {}}), "mailpod")
    assert (found.state, found.health, found.ipv4, found.ipv6) == ("stopped", "", "", "")


def test_a_container_that_never_ran_is_told_from_one_that_stopped():
    assert workload(item(State="created", Status="Created"), "mailpod").state == "created"


def test_a_container_that_keeps_dying_is_restarting():
    assert workload(item(State="restarting", Status="Restarting (1)"), "mailpod").status == "restarting"


def test_main_and_accounts_are_listed_that_are_no_tasks_of_a_swarm():
    class Api:
        def containers(self, all, filters):  # noqa: A002  (the SDK's name)
            assert (all, filters) == (True, {"label": "mailpod.instance=mailpod"})
            task, helper = {"com.docker.swarm.service.name": "mailpod-bob"}, {"mailpod.role": "helper"}
            return [item(Labels=labels) for labels in (ACCOUNT, ACCOUNT | task, helper, {"mailpod.role": "main"})]

    assert [one.labels for one in listed(Api(), "mailpod")] == [ACCOUNT, {"mailpod.role": "main"}]
