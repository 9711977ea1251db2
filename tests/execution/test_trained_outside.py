"""A plain torch loop and a classifier of scikit-learn, trained without arena: judged as where arena trains them."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

import mnistarena
from mnistarena import DataContext, Options
from mnistarena.builtin.datasets.digits import NoParams, load_digits
from mnistarena.data.splits import SplitRule, split_dataset

LOOP = """
import torch
from torch import nn


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def train(model, images, labels):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""

PLUGIN = """
from mnistarena import ModelDef, Params, hookimpl


def build(params, task):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = network(0)

        def forward(self, images):
            return self.layers(images)

        def fit(self, training):
            self.layers.load_state_dict(network(training.seed).state_dict())
            images, labels = zip(*training.in_order())
            train(self.layers, torch.cat(images), torch.cat(labels))

    return Plain()


@hookimpl
def arena_models():
    return [ModelDef("plain", "a plain loop", params=Params, build=build)]
"""

HEAD = """
[benchmark]
name = "outside"
seeds = [1, 2]
[[dataset]]
name = "digits"
train_limit = 300
test_limit = 150
"""
INSIDE = f"""
plugins = ["mine.py"]
{HEAD}
[[model]]
name = "plain"
[[model]]
name = "logistic-regression"
"""
OUTSIDE = f"""
{HEAD}
[[model]]
label = "plain"
predictions = "torch-*.csv"
[[model]]
label = "logistic-regression"
predictions = "linear.csv"
deterministic = true
"""


def write(path: Path, index: np.ndarray, probabilities: np.ndarray) -> None:
    pd.DataFrame(probabilities).assign(index=index).to_csv(path, index=False)


def train_outside(folder: Path) -> None:
    """Write the predictions of the same models, trained by their own libraries alone."""
    from sklearn.linear_model import LogisticRegression

    dataset = load_digits(NoParams(), DataContext(folder))
    split = split_dataset(dataset, SplitRule(train_limit=300, test_limit=150))
    train = dataset.train_images[split.train].astype(np.float32) / np.float32(255)
    test = dataset.test_images[split.test].astype(np.float32) / np.float32(255)
    labels = dataset.train_labels[split.train]
    own = runpy.run_path(str(folder / "loop.py"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for seed in (1, 2):
        model = own["network"](seed)
        own["train"](model, torch.from_numpy(train), torch.from_numpy(labels))
        with torch.no_grad():
            write(folder / f"torch-{seed}.csv", split.test, model(torch.from_numpy(test)).double().softmax(1).numpy())
    torch.set_num_threads(threads)
    with threadpool_limits(1):
        classifier = LogisticRegression().fit(train.reshape(len(train), -1), labels)
        write(folder / "linear.csv", split.test, classifier.predict_proba(test.reshape(len(test), -1)))


def test_verdicts_are_those_of_the_models_trained_inside_to_the_digit(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "mine.py").write_text(LOOP + PLUGIN)
    (tmp_path / "inside.toml").write_text(INSIDE)
    (tmp_path / "outside.toml").write_text(OUTSIDE)
    train_outside(tmp_path)
    inside, outside = (
        mnistarena.run(tmp_path / f"{name}.toml", out=tmp_path / name, options=Options(jobs=1, threads=1))
        for name in ("inside", "outside")
    )
    assert inside.complete
    assert outside.complete
    assert [trial.metrics for trial in inside.trials] == [trial.metrics for trial in outside.trials]
    pd.testing.assert_frame_equal(inside.pairs(), outside.pairs(), check_exact=True)
    assert inside.pairs()["verdict"].tolist() != ["not compared"]
