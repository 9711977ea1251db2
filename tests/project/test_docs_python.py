"""docs/python.md: its examples run as they are printed, on a small spec."""

from __future__ import annotations

import inspect
import linecache
import re
from typing import Any

import numpy as np
import pytest

import mnistarena

from ..helpers import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

SPEC = """
[benchmark]
name = "small"
[[dataset]]
name = "digits"
train_limit = 100
[[model]]
name = "knn"
"""


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a reader has after typing every example in order."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "specs").mkdir()
    (folder / "specs" / "quick.toml").write_text(SPEC)
    names: dict[str, Any] = {
        "images": np.zeros((2, 1, 8, 8), np.uint8),
        "spec": {"benchmark": {"name": "own"}, "dataset": [{"name": "digits", "train_limit": 100}]},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(BLOCKS):
            if block.startswith("%%writefile "):
                first, _, text = block.partition("\n")
                (folder / first.split()[1]).write_text(text)
            else:
                file = f"block {number}"  # as Jupyter keeps the text of a cell
                linecache.cache[file] = len(block), None, block.splitlines(keepends=True), file
                exec(compile(block, file, "exec"), names)
    return {**names, "folder": folder}


def test_the_examples_run(namespace: dict[str, Any]) -> None:
    assert namespace["run"].complete
    assert [trial.label for trial in namespace["run"].trials] == ["logistic-regression", "knn"]
    assert namespace["model"].probabilities(namespace["images"]).shape == (2, 10)
    assert (namespace["folder"] / "runs" / "quick" / "report.html").is_file()


def test_every_argument_of_run_is_explained(namespace: dict[str, Any]) -> None:
    for name in list(inspect.signature(mnistarena.run).parameters)[1:]:
        assert f"| `{name}` |" in PAGE
    for name in ("leaderboard", "pairs", "frame", "report", "verify"):
        assert hasattr(mnistarena.Run, name)
        assert f"run.{name}(" in PAGE
