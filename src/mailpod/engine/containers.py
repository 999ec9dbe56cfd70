"""A system's containers on one Docker Engine that no Swarm looks after."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import docker.errors

from mailpod.model.layout import BESIDE_MAIN
from mailpod.model.spec import LABEL_INSTANCE, LABEL_ROLE, Workload
from mailpod.waiting import until

TASK_OF = "com.docker.swarm.service.name"
"""The label by which a Swarm knows its containers."""

_ROLES = {"main", "account", *BESIDE_MAIN}
_STOP_SECONDS = 10
# "removal of container … is already in progress"
_ALREADY_AT_IT = 409


def listed(api: Any, instance: str) -> list[Workload]:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Those of main, of what is beside it, and of the accounts of a system, running or not."""
    return [workload(item, instance) for item in _found(api, instance) if item["Labels"].get(LABEL_ROLE) in _ROLES]


def _found(api: Any, instance: str) -> list[dict[str, Any]]:  # noqa: ANN401
    found = api.containers(all=True, filters={"label": f"{LABEL_INSTANCE}={instance}"})
    return [item for item in found if TASK_OF not in item["Labels"]]


def workload(item: Mapping[str, Any], instance: str) -> Workload:
    """One, from the engine's listing."""
    own = re.compile(rf"{re.escape(instance)}(-net\d+)?")
    networks = sorted(item["NetworkSettings"]["Networks"].items())
    network: Mapping[str, Any] = next((one for name, one in networks if own.fullmatch(name)), {})
    return Workload(
        name=item["Names"][0].removeprefix("/"),
        state=item["State"] if item["State"] in {"running", "restarting", "created"} else "stopped",
        health=health(item["Status"]) if item["State"] == "running" else "",
        image=item["Image"],
        labels=item["Labels"],
        ipv4=network.get("IPAddress", ""),
        ipv6=network.get("GlobalIPv6Address", ""),
    )


def health(words: str) -> str:
    """The health, which a listing has only in words such as `Up 3 minutes (healthy)`."""
    for mark, known in (
        ("(unhealthy)", "unhealthy"),
        ("(healthy)", "healthy"),
        ("(health: starting)", "starting"),
    ):
        if mark in words:
            return known
    return ""


def remove(api: Any, name: str) -> None:  # noqa: ANN401
    """Stop and remove one, by its name or id; nothing happens when it is not there."""
    with contextlib.suppress(docker.errors.NotFound):
        api.stop(name, timeout=_STOP_SECONDS)
        try:
            api.remove_container(name, force=True)
        except docker.errors.APIError as error:
            if error.status_code != _ALREADY_AT_IT:
                raise
        # The engine answers before it frees the name.
        until(lambda: _gone(api, name), 30, f"{name} was not removed", "try again", 0.02)


def _gone(api: Any, name: str) -> bool:  # noqa: ANN401
    try:
        api.inspect_container(name)
    except docker.errors.NotFound:
        return True
    return False


def remove_all(api: Any, instance: str) -> None:  # noqa: ANN401
    """Stop and remove all of a system, and its networks; volumes stay."""
    for item in _found(api, instance):
        remove(api, item["Id"])
    for network in api.networks(filters={"label": f"{LABEL_INSTANCE}={instance}"}):
        if network["Scope"] == "local":
            api.remove_network(network["Id"])
