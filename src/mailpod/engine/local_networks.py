"""Networks that a machine of a Swarm has for itself, with an IPv6 subnet of its own.

Docker calls them networks of swarm scope with a node-local driver (docs.docker.com, "docker network create",
--config-from): a machine's part is told to its own engine, the name to the Swarm.
"""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import docker
import docker.errors

from mailpod.model import networks

# From Docker Engine 27 on: addresses are used as they are, and accounts filter for themselves.
_OPTIONS = {"com.docker.network.bridge.gateway_mode_ipv6": "nat-unprotected"}


def configure(api: Any, name: str, subnet: str) -> None:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Tell a machine which subnet a network of this name has on it; nothing happens when it knows."""
    if any(one["Name"] == _part(name) for one in api.networks(names=[_part(name)])):
        return
    pool = {"Subnet": subnet, "Gateway": networks.gateway(subnet)}
    made = {"ConfigOnly": True, "EnableIPv6": True, "IPAM": {"Config": [pool]}, "Options": _OPTIONS}
    _create(api, {"Name": _part(name), **made})


def announce(api: Any, name: str) -> None:  # noqa: ANN401
    """Tell the Swarm of the network; nothing happens when it knows."""
    if any(one["Name"] == name and one["Scope"] == "swarm" for one in api.networks(names=[name])):
        return
    _create(api, {"Name": name, "Scope": "swarm", "Driver": "bridge", "ConfigFrom": {"Network": _part(name)}})


def remove(api: Any, beginning: str, but: Collection[str]) -> None:  # noqa: ANN401
    """Remove an engine's networks whose names begin so and that no container uses, except those of these names."""
    found = [one for one in api.networks() if one["Name"].startswith(beginning)]
    # The Swarm's first: a machine's part cannot go while a network stands on it.
    for one in sorted(found, key=lambda network: bool(network.get("ConfigOnly"))):
        if one["Name"] not in {*but, *map(_part, but)}:
            with contextlib.suppress(docker.errors.APIError):
                api.remove_network(one["Id"])


def _part(name: str) -> str:
    return f"{name}-here"


def _create(api: Any, document: Mapping[str, Any]) -> None:  # noqa: ANN401
    # The SDK's own call has no words for either kind, and the engine takes no labels for the second.
    answer = api.post(f"{api.base_url}/networks/create", json=document)
    if not answer.ok:
        raise docker.errors.APIError(answer.text, response=answer, explanation=answer.json().get("message"))
