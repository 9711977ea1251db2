"""For all tests, the plugins' too."""

from __future__ import annotations

import os

import pytest

# Tests run side by side, one to a core. Where each also computes with as many threads as there are cores, these
# wait for one another: a small training then takes up to thirty times as long. What tests threads sets them itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")


LONG = ("test_ray", "test_chaos", "test_stopping", "test_browser", "test_render", "test_faults", "test_packaging")
"""The files that take longest. They run first, for one of them at the end would keep one worker busy alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    places = {f"{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
