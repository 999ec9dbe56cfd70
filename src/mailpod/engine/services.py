"""A system's services that are left on a machine whose Swarm does not run the system any more."""

import contextlib
from functools import partial
from typing import Any

import docker.errors

from mailpod.engine import containers
from mailpod.model.spec import LABEL_IMAGE, LABEL_INSTANCE, Workload
from mailpod.waiting import until

_SECONDS = 60
_SEE = "see: docker service ls"
# "This node is not a swarm manager"
_NO_MANAGER = 503


def listed(api: Any, instance: str) -> list[Workload]:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Those of a system, as far as it is worth knowing before they are removed."""
    return [_workload(service["Spec"]) for service in _found(api, {"label": f"{LABEL_INSTANCE}={instance}"})]


def _workload(spec: dict[str, Any]) -> Workload:
    labels = spec["Labels"]
    state = "running" if spec["Mode"]["Replicated"]["Replicas"] else "stopped"
    return Workload(spec["Name"], state, "", labels.get(LABEL_IMAGE, ""), labels)


def remove(api: Any, name: str) -> None:  # noqa: ANN401
    """Remove one, and wait until nothing of it is left on this machine; nothing happens when it is not there."""
    for service in _found(api, {"name": name}):
        if service["Spec"]["Name"] == name:
            with contextlib.suppress(docker.errors.NotFound):
                api.remove_service(service["ID"])
            # The Swarm itself takes some seconds longer.
            for container in _containers(api, name):
                containers.remove(api, container)
            until(lambda: not _containers(api, name), _SECONDS, f"{name} was not removed", _SEE)


def _containers(api: Any, name: str) -> list[str]:  # noqa: ANN401
    return [item["Id"] for item in api.containers(all=True, filters={"label": f"{containers.TASK_OF}={name}"})]


def remove_all(api: Any, instance: str) -> None:  # noqa: ANN401
    """Remove all of a system, and its networks; volumes stay."""
    for one in listed(api, instance):
        remove(api, one.name)
    for network in api.networks(filters={"label": f"{LABEL_INSTANCE}={instance}"}):
        if network["Scope"] == "swarm":
            # It is let go of a moment after the last container.
            until(partial(_removed, api, network["Id"]), _SECONDS, f"{network['Name']} was not removed", _SEE)


def _removed(api: Any, network: str) -> bool:  # noqa: ANN401
    try:
        api.remove_network(network)
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError:
        return False
    return False


def _found(api: Any, filters: dict[str, str]) -> list[dict[str, Any]]:  # noqa: ANN401
    try:
        found: list[dict[str, Any]] = api.services(filters=filters)
    except docker.errors.APIError as error:
        if error.status_code != _NO_MANAGER:
            raise
        return []
    return found
