from __future__ import annotations

from pathlib import Path

import pytest

from .synthetic import FAILED, TIMEOUT, build_run


@pytest.fixture(scope="session")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five models, three seeds, all done, and its report."""
    from mnistarena.report import write_report

    path = build_run(tmp_path_factory.mktemp("five"))
    write_report(path)
    return path


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a failed, a timed-out and a pending trial, a baseline, and its report."""
    from mnistarena.report import write_report

    path = build_run(
        tmp_path_factory.mktemp("troubled"),
        failures={("alexnet", 1): FAILED, ("vgg16", 2): TIMEOUT, ("vit-8", 0): {"status": "pending"}},
        baseline="cnn",
        conditions={"faster-rcnn": {"threads": 4}},
    )
    write_report(path)
    return path
