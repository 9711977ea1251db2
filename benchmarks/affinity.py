"""Cores of its own for each trial, two side by side: the time of their trainings with and without them."""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import mnistarena
from benchmarks.rows import Row, at_most, take_turns
from mnistarena.execution.cores import Cores

PLUGIN = '''
import os
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    """No parameters."""

def forest(params, task):
    from lightgbm import LGBMClassifier
    return LGBMClassifier(n_estimators=3, n_jobs=os.cpu_count(), verbose=-1)

def histogram(params, task):
    from sklearn.ensemble import HistGradientBoostingClassifier
    return HistGradientBoostingClassifier(max_iter=3)

@hookimpl
def arena_models():
    return [ModelDef(build.__name__, "trees", params=Nothing, build=build) for build in (forest, histogram)]
'''


def took(folder: Path, model: str, *, alone: bool) -> float:
    """Mean seconds of two trainings side by side, each with one thread."""
    spec: dict[str, Any] = {
        "benchmark": {"name": "affinity", "seeds": [0, 1], "metrics": ["accuracy"], "keep_models": False},
        "dataset": [{"name": "mnist", "train_limit": 1000, "test_limit": 100, "transforms": ["normalize"]}],
        "training": {"steps": 100, "batch_size": 64},
        "model": [{"name": model}],
    }
    options = mnistarena.Options(jobs=2, threads=1)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        with mock.patch.object(Cores, "take", Cores.take if alone else lambda self, n: None):
            run = mnistarena.run(spec, out=Path(out) / "run", options=options, plugins=[folder / "trees.py"])
        return statistics.mean(trial.measurements["train_seconds"] for trial in run.trials)


def run(rounds: int) -> list[Row]:
    """LightGBM, which is told to use every core, where it is installed; and two that keep to their thread."""
    models = {"histogram": "scikit-learn's histogram trees", "cnn": "`cnn`"}
    if importlib.util.find_spec("lightgbm"):
        models = {"forest": "LightGBM told to use all cores", **models}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trees.py").write_text(PLUGIN)
        for model, words in models.items():
            turns = take_turns(
                {
                    "own cores": lambda model=model: took(folder, model, alone=True),  # type: ignore[misc]
                    "any core": lambda model=model: took(folder, model, alone=False),  # type: ignore[misc]
                },
                rounds,
            )
            detail = turns.told(("own cores", "any core"), "s", 2)
            rows.append(
                at_most(
                    f"{words}, 2 side by side, own cores against any",
                    turns.ratios("own cores", "any core"),
                    1.05,
                    detail,
                )
            )
    return rows
