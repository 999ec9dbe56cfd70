"""Making a Docker Engine a Swarm of one machine, and undoing that."""

from typing import Any

import docker.errors

from mailpod.model.errors import MailpodError
from mailpod.waiting import until

_SECONDS = 30
_LISTEN = "0.0.0.0:2377"


def found(api: Any, advertise: str) -> bool:  # noqa: ANN401  (the SDK's, with incomplete types)
    """Make an engine a Swarm's manager; False when it is one.

    Args:
        advertise: address or interface by which other machines are to reach it; empty for the only one it has.

    Raises:
        MailpodError: it is another's worker, has several addresses, or not that one.
    """
    swarm = api.info()["Swarm"]
    if swarm.get("ControlAvailable"):
        return False
    if swarm["LocalNodeState"] != "inactive":
        raise MailpodError(
            "this machine is in a Swarm that it does not manage",
            "run mailpod where the manager is, or let the machine leave: docker swarm leave",
        )
    try:
        api.init_swarm(advertise_addr=advertise or None, listen_addr=_LISTEN)
    except docker.errors.APIError as error:
        said = " ".join(str(error.explanation).split())
        hint = "say by which of its addresses others are to reach it: --advertise-addr ADDRESS"
        raise MailpodError(
            f"this machine cannot be made a Swarm: {said}",
            hint if "address" in said else "see: docker swarm init --help",
        ) from error
    # The Swarm makes it in the background, and its addresses must not be those that the system chooses.
    until(lambda: bool(api.networks(names=["docker_gwbridge"])), _SECONDS, "the Swarm was not made", "try again")
    return True


def leave(api: Any) -> None:  # noqa: ANN401
    """Let the only manager of a Swarm give it up, with all services in it."""
    api.leave_swarm(force=True)
