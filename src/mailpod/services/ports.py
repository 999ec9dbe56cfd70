"""The ports of this machine that the system is published on."""

import socket
from collections.abc import Collection

from mailpod.model.errors import MailpodError
from mailpod.model.records import EVERYWHERE, PORTS, System
from mailpod.services.context import Context
from mailpod.services.reconcile import main_runs, runs


def held(context: Context, before: System | None, system: System) -> set[int]:
    """The ports that the system itself holds now, on the address where it is to listen.

    Args:
        before: as it is now; None when there is none.
        system: as it is to be.
    """
    if before is None or not (before.bind == system.bind or EVERYWHERE in {before.bind, system.bind}):
        return set()
    dns = {before.dns_port()} if runs(context, "dns") else set()
    return dns | ({before.port(service) for service in PORTS} if main_runs(context) else set())


def check(system: System, ours: Collection[int]) -> None:
    """Refuse before anything is touched what the machine cannot give.

    Args:
        system: where it is to listen.
        ours: ports that are the system's already.

    Raises:
        MailpodError: the address is not this machine's, or somebody else has a port.
    """
    with socket.socket() as probe:
        try:
            probe.bind((system.bind, 0))
        except OSError as error:
            raise MailpodError(
                f"{system.bind} cannot be listened on: {error.strerror}",
                "give an address of this machine with --bind ADDRESS",
            ) from error
    for service in PORTS:
        port = system.port(service)
        reason = "" if port in ours else _unusable(system, port, socket.SOCK_STREAM)
        if reason:
            raise MailpodError(
                f"port {port} ({service}) of {system.bind} cannot be used: {reason}",
                "stop what listens there, or choose others with --port-base N or --bind ADDRESS",
            )
    reason = _unusable_for_dns(system)
    if system.dns == "built-in" and system.dns_port() not in ours and reason:
        raise MailpodError(
            f"port {system.dns_port()} (DNS) of {system.bind} cannot be used: {reason}",
            "stop what listens there, choose one address with --bind ADDRESS, or say --dns elsewhere",
        )


def free_for_dns(system: System) -> bool:
    """Whether a name server could listen."""
    return not _unusable_for_dns(system)


def _unusable_for_dns(system: System) -> str:
    port = system.dns_port()
    return _unusable(system, port, socket.SOCK_STREAM) or _unusable(system, port, socket.SOCK_DGRAM)


def _unusable(system: System, port: int, kind: socket.SocketKind) -> str:
    """Why nobody can listen on a port there; empty when somebody can."""
    with socket.socket(type=kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((system.bind, port))
        except PermissionError:
            return ""  # a port below 1024 and not root: the engine, which is, will tell
        except OSError as error:
            return error.strerror or str(error)
    return ""
