"""How tests are divided among processes that run side by side."""

import re

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.other_engine"]

_OF_A_STACK = re.compile(r"tests/e2e/.*\[(classic|dovecot)\b")


# A machine that is busy with containers is slow now and then, and no property is about time.
settings.register_profile("mailpod", deadline=None)
settings.load_profile("mailpod")


class ByRunningSystem(LoadScopeScheduling):
    """All that use one running system, of a stack or on a Swarm, share one process; the others, those of a file do."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/e2e/swarm/"):
            return "swarm"
        stack = _OF_A_STACK.match(nodeid)
        return stack[1] if stack else nodeid.split("::", maxsplit=1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Where tests are not to be divided singly."""
    return ByRunningSystem(config, log) if config.getvalue("dist") == "loadscope" else None
