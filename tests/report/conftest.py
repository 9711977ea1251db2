from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from .synthetic import FAILED, MODELS, TIMEOUT, build_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def _missing(reason: str) -> None:
    if os.environ.get("ARENA_REQUIRE_BROWSER") == "1":
        pytest.fail(f"ARENA_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("ARENA_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        _missing("no Chromium is installed; name one in ARENA_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield chromium
        chromium.close()


def _once(tmp_path_factory: pytest.TempPathFactory, name: str, **run: Any) -> Path:
    """A run folder with its report, which all processes of the tests share; no test writes into it."""
    from mnistarena.report.write import write_report

    several = "PYTEST_XDIST_WORKER" in os.environ
    path = (tmp_path_factory.getbasetemp().parent if several else tmp_path_factory.getbasetemp()) / f"shared-{name}"
    with FileLock(path.with_suffix(".lock")):
        if not (path / "report.md").exists():
            write_report(build_run(path, **run))
    return path


@pytest.fixture(scope="session")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five models, three seeds, all done, and its report."""
    return _once(tmp_path_factory, "five")


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a failed, a timed-out and a pending trial, a baseline, and its report."""
    return _once(
        tmp_path_factory,
        "troubled",
        failures={("alexnet", 1): FAILED, ("vgg16", 2): TIMEOUT, ("vit-8", 0): {"status": "pending"}},
        baseline="cnn",
        conditions={"faster-rcnn": {"threads": 4}},
    )


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on two datasets, one of them in two sizes, and its report."""
    return _once(
        tmp_path_factory,
        "several",
        models={label: MODELS[label] for label in ("cnn", "vit-8")},
        datasets=("digits", "mnist-500", "mnist"),
        data={"mnist-500": {"fingerprint": "m", "n_train": 500}, "mnist": {"fingerprint": "m", "n_train": 5000}},
        skill={("cnn", "mnist-500"): 0.7, ("vit-8", "mnist-500"): 0.8},
        n=400,
        validation=0,
        class_names=[f"class {number}" for number in range(30)],  # too many for matrices, which take long
        seeds=2,
        epochs=2,
    )
