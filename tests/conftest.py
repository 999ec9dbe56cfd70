"""How tests are divided among processes that run side by side."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that use the running system of a stack share one process; the others, those of a file do."""
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        item.add_marker(pytest.mark.xdist_group(parameters.get("stack") or item.path.stem))
