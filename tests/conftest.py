"""How tests are divided among processes that run side by side."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that use one running system, of a stack or on a Swarm, share one process; the others, those of a file do."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_system(item) or item.path.stem))


def _system(item: pytest.Item) -> str:
    if not isinstance(item, pytest.Function):
        return ""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("stack", "")) or ("swarm" if "swarm" in item.fixturenames else "")
