"""What a Swarm tells of its services and tasks, in our words (Docker Engine API, "Service" and "Task")."""

from collections.abc import Iterable, Mapping
from typing import Any

from mailpod.model.spec import LABEL_IMAGE, Machine, Workload

FAILED = {"failed", "rejected", "orphaned"}
"""States of a task that ended otherwise than it was to."""


def counts(task: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    """Whether a task was made since the service was changed last, or goes on as it was."""
    return bool(task["CreatedAt"] >= service["UpdatedAt"] or task["Status"]["State"] not in FAILED)


def pinned(service: Mapping[str, Any]) -> str:
    """The name of the machine that a service is to be on; empty if on any."""
    constraints = service["Spec"]["TaskTemplate"].get("Placement", {}).get("Constraints") or ()
    return next((one.partition("==")[2].strip() for one in constraints if one.startswith("node.hostname")), "")


def _is_overlay(network: Mapping[str, Any]) -> bool:
    return (network.get("DriverState") or {}).get("Name") == "overlay"


def workload(
    service: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]], machines: Mapping[str, Machine]
) -> Workload:
    """A service as a `Workload`.

    Args:
        tasks: of all services, as the Swarm tells of them.
        machines: by name.
    """
    spec = service["Spec"]
    container = spec["TaskTemplate"]["ContainerSpec"]
    own = [task for task in tasks if task["ServiceID"] == service["ID"] and task["DesiredState"] == "running"]
    newest = max(own, key=lambda task: task["CreatedAt"], default=None)
    node = pinned(service)
    down = node not in machines or machines[node].state == "down"
    if not spec["Mode"]["Replicated"]["Replicas"]:
        state = "stopped"
    elif down:
        state = "unreachable"
    else:
        state = "running" if newest and newest["Status"]["State"] == "running" else "restarting"
    attached = (newest or {}).get("NetworksAttachments") or ()
    addresses = [one for part in attached if _is_overlay(part["Network"]) for one in part["Addresses"]]
    return Workload(
        name=spec["Name"],
        state=state,
        health="",
        image=spec["Labels"].get(LABEL_IMAGE, container["Image"]),
        labels=spec["Labels"],
        ipv4=addresses[0].partition("/")[0] if addresses and state == "running" else "",
        node=node,
        since=machines[node].since if state == "unreachable" and node in machines else "",
    )
