"""Images that belong together: split as whole groups, and told to a model's own training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mnistarena import DataContext, DataError
from mnistarena.builtin.datasets import digits
from mnistarena.data.dataset import check_dataset, fingerprint
from mnistarena.data.splits import SplitRule, split_dataset

from ..helpers import by_label

DIGITS = digits.load_digits(digits.NoParams(), DataContext(Path()))
N = len(DIGITS.train_labels)
WRITERS = np.arange(N) // 20
"""The last writer has fewer images."""

PLUGIN = """
import numpy as np
from mnistarena import Dataset, DatasetDef, ModelDef, Params, hookimpl


def load(params, context):
    from sklearn.datasets import load_digits

    found = load_digits()
    images = (found.images[:, None] * 15.9).astype(np.uint8)
    labels = (found.target > 0).astype(np.int64)
    return Dataset(
        images[:1400], labels[:1400], test_images=images[1400:], test_labels=labels[1400:],
        class_names=("zero", "other"), train_groups=np.arange(1400) // 20,
    )


def build(params, task):
    import torch
    from torch import nn

    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 2)
            for name in ("groups", "labels", "drawn"):
                self.register_buffer(name, None)

        def forward(self, images):
            return self.layer(images.flatten(1))

        def fit(self, training):
            self.groups = training.groups
            self.labels = torch.cat([labels for _, labels in training.in_order()])
            self.drawn = torch.cat([labels for _, labels in training.batches(0, batch_size=50, balanced=True)])
            training.step(0.0)

    return Keeps()


@hookimpl
def arena_datasets():
    return [DatasetDef("written", "digits of seventy writers", params=Params, load=load)]


@hookimpl
def arena_models():
    return [ModelDef("keeps", "keeps what it was told", params=Params, build=build, uses=())]
"""

SPEC = """
plugins = ["written.py"]
[benchmark]
name = "groups"
seeds = [0]
metrics = ["accuracy"]
[[dataset]]
name = "written"
validation = 130
[[model]]
name = "keeps"
"""


def test_validation_images_are_set_aside_by_whole_groups():
    data = replace(DIGITS, train_groups=WRITERS)
    split = split_dataset(data, SplitRule(130, split_seed=3, train_limit=500))
    assert not set(WRITERS[split.validation]) & set(WRITERS[split.train])
    assert len(split.validation) in (120, 120 + N % 20)
    assert len(split.train) == 500
    again, other = (split_dataset(data, SplitRule(130, split_seed=seed)) for seed in (3, 4))
    np.testing.assert_array_equal(again.validation, split.validation)
    assert set(other.validation) != set(split.validation)
    assert fingerprint(data) != fingerprint(DIGITS)


def test_wrong_groups_are_named():
    for groups, words in (
        (WRITERS[:5], f"{N} train labels but 5 train groups"),
        (WRITERS.astype(np.float32), "train_groups must be an int64 array"),
        (np.zeros(N, np.int64), "all training images are of one group"),
    ):
        with pytest.raises(DataError, match=words):
            check_dataset(replace(DIGITS, train_groups=groups), "written")
    with pytest.raises(DataError, match='"validation" = 5 is less than the images of the smallest of its groups'):
        split_dataset(replace(DIGITS, train_groups=np.arange(N) // 700), SplitRule(5))


def test_a_models_own_training_is_told_the_groups_and_may_draw_each_class_as_often(arena, tmp_path):
    (tmp_path / "written.py").write_text(PLUGIN)
    (tmp_path / "written.toml").write_text(SPEC)
    assert arena("run", "written.toml", "--out", "run").status == 0
    assert by_label(tmp_path / "run")["keeps"]["status"] == "done"
    (stored,) = tmp_path.glob("run/trials/*/model.safetensors")
    kept = load_file(stored)
    assert len(kept["groups"]) == 1400 - 120
    assert (np.bincount(kept["groups"], minlength=70) % 20 == 0).all(), "whole groups train"
    from sklearn.datasets import load_digits

    rows = np.concatenate([np.arange(20 * group, 20 * group + 20) for group in np.unique(kept["groups"])])
    np.testing.assert_array_equal(kept["groups"], rows // 20)
    np.testing.assert_array_equal(kept["labels"], load_digits().target[rows] > 0)
    assert len(kept["drawn"]) == len(kept["labels"])
    assert kept["labels"].mean() > 0.85
    assert 0.45 < kept["drawn"].mean() < 0.55, "each class as often where the batches are balanced"
