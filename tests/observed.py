"""What the tests of observers share: a run that is interrupted, and what an observer must have been told of a trial."""

from __future__ import annotations

import signal
from typing import Any

import pytest

import mnistarena
from mnistarena.executors import RowAdded

MODEL = """
import time
from mnistarena import ModelDef, Params, hookimpl


def build(params, task):
    from torch import nn

    class Slow(nn.Sequential):
        def forward(self, images):
            time.sleep(0.05 * self.training)
            return super().forward(images)

    return Slow(nn.Flatten(), nn.Linear(64, task.n_classes))


@hookimpl
def arena_models():
    return [ModelDef("slow", "a linear layer that naps", params=Params, build=build)]
"""

SPEC = {
    "benchmark": {"name": "observed", "seeds": [0, 1]},
    "dataset": [{"name": "digits", "train_limit": 64, "validation": 20, "test_limit": 30}],
    "training": {"epochs": 12, "batch_size": 32, "optimizer": {"name": "adam", "lr": 0.01}},
    "model": [{"name": "slow"}, {"name": "knn"}],
}


class Stop(mnistarena.Observer):
    """Asks for a stop, by a signal, after some rows."""

    def __init__(self, rows: int, number: int = signal.SIGINT) -> None:
        self.rows, self.number = rows, number

    def event(self, trial: Any, event: Any) -> None:
        self.rows -= isinstance(event, RowAdded)
        if self.rows == 0:
            signal.raise_signal(self.number)


def run_interrupted(**how: Any) -> None:
    """Run the spec and interrupt it after five rows, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            mnistarena.run(SPEC, observer=Stop(5), **how)
    finally:
        signal.signal(signal.SIGINT, before)


def figures(trial: mnistarena.TrialResult) -> dict[str, list[tuple[int, float]]]:
    """The curves and the figures of a trial in the run folder, each with its steps."""
    names = ("train_loss", "validation_loss", "validation_accuracy", "learning_rate")
    rows: Any = trial.history()
    curves = {name: [(row["step"], row[name]) for row in rows if row.get(name) is not None] for name in names}
    steps = trial.measurements.get("steps", 0)
    found = {f"test/{label}": [(steps, value)] for label, value in trial.metrics.items() if value is not None}
    return {key: points for key, points in {**curves, **found}.items() if points}
