"""Workers start from a process that has loaded what their spec needs, and nothing slow beside it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mnistarena.builtin.metrics import WITHOUT_SCIKIT_LEARN
from mnistarena.execution.preload import preload
from mnistarena.plan.lookup import registry_for
from mnistarena.spec.load import load_spec


@pytest.mark.parametrize(
    ("metrics", "models", "only", "expected"),
    [
        (["accuracy", "f1_weighted", "log_loss"], ["cnn", "vit"], [], ("torch._dynamo",)),
        (["accuracy", {"name": "roc_auc", "label": "area"}], ["cnn"], [], ("sklearn.metrics", "torch._dynamo")),
        (["accuracy"], ["cnn", "knn"], [], ("skops.io", "torch._dynamo")),
        (["accuracy"], ["cnn", "knn"], ["k*"], ("skops.io",)),
        (["roc_auc"], ["nobody", "knn"], [], ("sklearn.metrics", "skops.io")),
    ],
)
def test_what_metrics_and_models_need_is_loaded_once(metrics, models, only, expected):
    spec = load_spec(
        {
            "benchmark": {"name": "x", "metrics": metrics},
            "dataset": [{"name": "digits"}],
            "model": [{"name": name} for name in models],
        }
    )
    assert preload(spec, registry_for(spec), only) == expected


def test_metrics_that_are_said_to_need_no_scikit_learn_do_not_import_it():
    code = """
import sys
import numpy as np
from mnistarena import Predictions
from mnistarena.builtin.metrics import WITHOUT_SCIKIT_LEARN, arena_metrics
given = Predictions(np.array([0, 1, 1]), np.array([[0.6, 0.4], [0.3, 0.7], [0.8, 0.2]]), index=np.arange(3))
for one in arena_metrics():
    if one.name in WITHOUT_SCIKIT_LEARN:
        print(one.name, one.compute(given, one.params()))
assert "sklearn" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} == WITHOUT_SCIKIT_LEARN
