"""How tests are dealt to the workers of pytest-xdist: what shares a costly fixture stays together; long ones first."""

from __future__ import annotations

import pytest

SECOND_HALF = ("test_compare", "test_gate", "test_leaky", "test_tune")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A group per file; tests of the finished small run in two groups, so that it is made once per worker."""
    for item in items:
        group = str(item.path)
        if "finished" in getattr(item, "fixturenames", ()):
            group = f"finished {item.path.stem in SECOND_HALF}"
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "finished" not in getattr(item, "fixturenames", ()) and item.path.stem != "test_graph")
