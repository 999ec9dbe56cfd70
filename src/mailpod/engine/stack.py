"""main's Compose file as a stack of the Swarm: the same file, in the older words that `docker stack deploy` knows.

That command reads version 3 of the format (docs.docker.com, "Compose file version 3 reference"), in which some things
have other names and some do not exist: a container's name, fixed addresses, an address to publish a port on.
"""

import contextlib
import functools
import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker.errors
import yaml

from mailpod.model.errors import EngineUnreachable, MailpodError
from mailpod.model.spec import LABEL_IMAGE

# Processes are limited from here on ("limits.pids").
_VERSION = "3.9"
# init sees to "no-new-privileges" and the supervisor to the restarts of what is inside.
_UNKNOWN = ("container_name", "profiles", "restart", "security_opt", "tmpfs", "pids_limit")
_SOCKET = "unix:///var/run/docker.sock"


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two Compose files as one: mappings are merged, lists joined, everything else is what the second one says.

    `docker stack deploy` does it too, but tells ports apart by their numbers alone: 53 is one of TCP and one of UDP.
    """
    result = dict(first)
    for key, value in second.items():
        if isinstance(value, Mapping):
            result[key] = merged(first.get(key) or {}, value)
        elif isinstance(value, list):
            result[key] = [*first.get(key, ()), *value]
        else:
            result[key] = value
    return result


def translated(
    document: Mapping[str, Any],
    node: str,
    labels: Mapping[str, Mapping[str, str]],
    *,
    profiles: Collection[str] = (),
    encrypted: bool = False,
) -> dict[str, Any]:
    """A Compose file in the words of a stack.

    Args:
        node: the machine its services run on, where their volumes are.
        labels: more of them, by the service.
        profiles: services that are for a profile are there for these alone.
        encrypted: its networks encrypt what goes from one machine to another.
    """
    result: dict[str, Any] = {"version": _VERSION, **document}
    result["services"] = {
        name: _service(one, node, labels.get(name, {}))
        for name, one in document.get("services", {}).items()
        if set(one.get("profiles", profiles)) <= set(profiles)
    }
    if "networks" in document:
        result["networks"] = {name: _network(one, encrypted=encrypted) for name, one in document["networks"].items()}
    return result


def _service(service: Mapping[str, Any], node: str, labels: Mapping[str, str]) -> dict[str, Any]:
    result = {key: value for key, value in service.items() if key not in _UNKNOWN}
    if "ports" in service:
        result["ports"] = [_port(one) for one in service["ports"]]
    if "networks" in service:
        result["networks"] = {name: _attached(one) for name, one in service["networks"].items()}
    mounts = [_tmpfs(one) for one in service.get("tmpfs", ())]
    if mounts:
        result["volumes"] = [*service.get("volumes", ()), *mounts]
    deploy: dict[str, Any] = {
        # A virtual address would hide clients, and needs IPVS.
        "endpoint_mode": "dnsrr",
        "placement": {"constraints": [f"node.hostname == {node}"]},
        "restart_policy": {"condition": "any", "delay": "1s"},
    }
    if "labels" in service:
        deploy["labels"] = {**service["labels"], **labels}
    if "pids_limit" in service:
        deploy["resources"] = {"limits": {"pids": service["pids_limit"]}}
    # A task counts as started, and its name is known, when its first health check is past.
    return {**result, "deploy": deploy, "healthcheck": {"disable": True}}


def _port(port: str | Mapping[str, Any]) -> dict[str, Any]:
    """Published by the machine itself, not by the Swarm's mesh, which would hide the client's address."""
    if not isinstance(port, str):
        protocol = port.get("protocol", "tcp")
        return {"target": port["target"], "published": port["target"], "protocol": protocol, "mode": "host"}
    # A variable's default holds a colon too.
    published, target = port[port.index("}:") + 2 :].rsplit(":", 1)
    number, _, protocol = target.partition("/")
    return {"target": int(number), "published": published, "protocol": protocol or "tcp", "mode": "host"}


def _attached(network: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (network or {}).items() if key == "aliases"}


def _tmpfs(text: str) -> dict[str, Any]:
    target, _, options = text.partition(":")
    sizes = [word.removeprefix("size=") for word in options.split(",") if word.startswith("size=")]
    size = {"size": int(sizes[0].removesuffix("m")) << 20} if sizes else {}
    return {"type": "tmpfs", "target": target, "tmpfs": size}


def _network(network: Mapping[str, Any], *, encrypted: bool) -> dict[str, Any]:
    """One across all machines, which helpers of the control plane can join; of IPv4 alone, as overlay networks are.

    One that is not the stack's own stays what it is.
    """
    if network.get("external"):
        return dict(network)
    first = network["ipam"]["config"][0]["subnet"]
    kept = {key: value for key, value in network.items() if key in {"name", "labels"}}
    options = {"driver_opts": {"encrypted": "true"}} if encrypted else {}
    return {**kept, **options, "driver": "overlay", "attachable": True, "ipam": {"config": [{"subnet": first}]}}


def with_named_secrets(document: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The document with secrets whose names tell their content: a Swarm's are never changed, only others given."""

    def named(key: str, one: Mapping[str, Any]) -> dict[str, Any]:
        path = one["file"].replace("${MAILPOD_STATE:?}", environment["MAILPOD_STATE"])
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return {**one, "name": f"{environment['MAILPOD_INSTANCE']}_{key}_{digest[:12]}"}

    if "secrets" not in document:
        return dict(document)
    return {**document, "secrets": {key: named(key, one) for key, one in document["secrets"].items()}}


def forget_secrets(api: Any, instance: str) -> None:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Remove the secrets of a stack that none of its services has any more; the Swarm keeps the others."""
    for one in api.secrets(filters={"label": f"com.docker.stack.namespace={instance}"}):
        with contextlib.suppress(docker.errors.APIError):
            api.remove_secret(one["ID"])


def deploy(
    compose_files: Sequence[Path], environment: Mapping[str, str], node: str, image_id: Callable[[str], str]
) -> None:
    """Create or update main on the machine `node`, its networks and its volume.

    Args:
        image_id: gives the digest of an image, by which the Swarm is told of it; its name becomes a label.

    Raises:
        MailpodError: Docker refused; its last line says why.
    """
    profiles = [name for name in environment["COMPOSE_PROFILES"].split(",") if name]
    encrypted = bool(environment["MAILPOD_ENCRYPTED"])
    variables = {service: f"MAILPOD_{service.upper()}_IMAGE" for service in ("main", *profiles)}
    labels = {service: {LABEL_IMAGE: environment[variable]} for service, variable in variables.items()}
    digests = {variable: image_id(environment[variable]) for variable in variables.values()}
    document = functools.reduce(merged, (yaml.safe_load(file.read_text()) for file in compose_files))
    document = translated(document, node, labels, profiles=profiles, encrypted=encrypted)
    with tempfile.TemporaryDirectory(prefix="mailpod-stack-") as folder:
        path = Path(folder) / "stack.json"
        path.write_text(json.dumps(with_named_secrets(document, environment)))
        words = ["--resolve-image", "never", "--prune", "--compose-file", str(path)]
        _run(["deploy", *words, environment["MAILPOD_INSTANCE"]], {**environment, **digests})


def remove(instance: str) -> None:
    """Remove main and its networks, without waiting for the end of it; its volume stays."""
    _run(["rm", instance], {})


def _run(arguments: list[str], environment: Mapping[str, str]) -> None:
    engine = {"DOCKER_HOST": os.environ.get("DOCKER_HOST") or _SOCKET}
    try:
        done = subprocess.run(
            ["docker", "stack", *arguments],
            env={**os.environ, **environment, **engine},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise EngineUnreachable("the command docker is not installed", "run: apt-get install docker.io") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise MailpodError(f"docker stack failed: {lines[-1] if lines else done.returncode}", "see: mailpod status")
