"""The machines of a Swarm, as its manager knows them."""

from collections.abc import Mapping
from typing import Any

from mailpod.model.spec import Machine


def machine(item: Mapping[str, Any], here: str) -> Machine:
    """What the manager says of one, where `here` is the id of its own."""
    description, down = item["Description"], item["Status"]["State"] != "ready"
    active = item["Spec"]["Availability"] == "active"
    return Machine(
        name=description["Hostname"],
        state="down" if down else "ready" if active else "drained",
        since=item["UpdatedAt"],
        role=item["Spec"]["Role"],
        version=description["Engine"]["EngineVersion"],
        memory=description["Resources"]["MemoryBytes"],
        here=item["ID"] == here,
        id=item["ID"],
    )


def set_availability(api: Any, identity: str, wanted: str) -> None:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Say `active` or `drain` of a machine; nothing happens when it is so."""
    found = api.inspect_node(identity)
    if found["Spec"]["Availability"] != wanted:
        api.update_node(found["ID"], found["Version"]["Index"], {**found["Spec"], "Availability": wanted})
