"""What the global options say, and the context made of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mailpod.cli import output
from mailpod.host.engine import ensure_engine
from mailpod.model.errors import EngineUnreachable
from mailpod.store import Store

if TYPE_CHECKING:
    from mailpod.engine.port import Engine
    from mailpod.model.records import EngineKind
    from mailpod.services.context import Context


@dataclass
class Options:
    """The global options."""

    state: Path | None = None
    instance: str | None = None


options = Options()


def default_state(instance: str) -> Path:
    """Where the desired state of `instance` lies when nobody says: one folder an instance."""
    if os.geteuid() == 0:
        return Path("/var/lib/mailpod") / instance
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(data) / "mailpod" / instance


def context(
    *, set_up_engine: bool = False, default_instance: str = "mailpod", engine: "EngineKind | None" = None
) -> "Context":
    """The system the options name.

    Args:
        set_up_engine: install and start an engine when none answers and nobody named one.
        default_instance: the instance when no option names one.
        engine: what a system runs on that is not there yet.
    """
    from mailpod.services.context import Context

    def connect() -> "Engine":
        if set_up_engine and not os.environ.get("DOCKER_HOST"):
            ensure_engine(output.progress)
        try:
            return _engine(store, engine)
        except EngineUnreachable as error:
            where = os.environ.get("DOCKER_HOST", "the local socket")
            raise EngineUnreachable(f"no container engine answers at {where}", error.hint) from error

    instance = options.instance or default_instance
    folder = options.state or default_state(instance)
    store = Store(folder, output.progress)
    return Context(store, instance, connect, output.progress, engine_is_here=not os.environ.get("DOCKER_HOST"))


def _engine(store: Store, kind: "EngineKind | None") -> "Engine":
    system = store.find_system()
    if (system.engine if system else kind) == "swarm":
        from mailpod.engine.swarm import SwarmEngine
        from mailpod.services.nodes import reach

        return SwarmEngine(reach(store), lambda: [node.name for node in store.nodes()])
    from mailpod.engine.docker import DockerEngine

    return DockerEngine()
