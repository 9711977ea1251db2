"""What a model does wrong is said before it is trained, in a sentence with its remedy."""

from __future__ import annotations

import pytest

from ..helpers import by_label

PLUGIN = '''
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


@dataclass
class Answer:
    scores: torch.Tensor


@dataclass
class WithLogits:
    logits: torch.Tensor


class Net(nn.Module):
    outputs = 10

    def __init__(self, task):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, self.outputs))

    def forward(self, images):
        return self.net(images)


class ThousandLogits(Net):
    outputs = 1000


class OneLogit(Net):
    outputs = 1


class Softmax(Net):
    def forward(self, images):
        return self.net(images).softmax(1)


class Unnamed(Net):
    def forward(self, images):
        return Answer(self.net(images))


class Named(Net):
    def forward(self, images):
        return WithLogits(self.net(images))


class Pair(Net):
    def forward(self, images):
        found = self.net(images)
        return (found, found) if self.training else found


class Map(Net):
    def __init__(self, task):
        super().__init__(task)
        self.net = nn.Conv2d(1, 10, 3)


class NotFinite(Net):
    def forward(self, images):
        return self.net(images).log()


class AlwaysDropout(Net):
    def forward(self, images):
        return self.net(functional.dropout(images))


class BatchOfOne(Net):
    def __init__(self, task):
        super().__init__(task)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))


class Views(Net):
    """It works on contiguous feature maps only."""

    def __init__(self, task):
        super().__init__(task)
        self.convolution, self.net = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 10)

    def forward(self, images):
        found = self.convolution(images)
        return self.net(found.view(len(found), -1))


class Reshapes(Views):
    def forward(self, images):
        found = self.convolution(images)
        return self.net(found.reshape(len(found), -1))


class Uncopyable(Net):
    def __deepcopy__(self, memo):
        raise TypeError("there is one of me")


class Caches(Net):
    """It keeps a tensor of its first call, in evaluation mode, and uses it in training."""

    cached = None

    def forward(self, images):
        if self.cached is None or self.cached.shape != images.shape[2:]:
            self.cached = torch.ones(images.shape[2:], device=images.device) * 1.0
        return self.net(images * self.cached)


MODELS = (Net, ThousandLogits, Softmax, Unnamed, Named, Pair, Map, NotFinite, AlwaysDropout, BatchOfOne, Views,
          Uncopyable, Caches, Reshapes, OneLogit)


@hookimpl
def arena_models():
    for kind in MODELS:
        yield ModelDef(kind.__name__, kind.__name__, params=NoParams, build=lambda params, task, kind=kind: kind(task))
'''

SPEC = """
plugins = ["mistakes.py"]
[benchmark]
name = "mistakes"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
train_limit = 193
validation = 50
test_limit = 100
[training]
epochs = 2
batch_size = 64
"""

REFUSED = {
    "ThousandLogits": "forward returned (8, 1000) for 8 images, wanted (8, 10): 1,000 logits for 10 classes: make the "
    "last layer of task.n_classes outputs",
    "Softmax": 'return logits, or say output = "probabilities" in the ModelDef',
    "Unnamed": "forward returned Answer: return a tensor of logits (8, 10), or an object with .logits",
    "Map": "a map, not a vector: pool and flatten it before the last layer",
    "NotFinite": "forward returned values that are not finite for 8 training images, before any training",
    "BatchOfOne": "each epoch would end with a batch of one image (193 images, 64 a step), which the model cannot be "
    "trained on: Expected more than 1 value per channel",
}


def test_the_ordinary_mistakes_are_named_before_the_training(arena, tmp_path):
    (tmp_path / "mistakes.py").write_text(PLUGIN)
    names = ("Net", "Named", "Pair", "AlwaysDropout", "Views", "Uncopyable", "Caches", "Reshapes", *REFUSED)
    models = "".join(f'[[model]]\nname = "{name}"\n' for name in names)
    (tmp_path / "mistakes.toml").write_text(SPEC + models)
    arena("run", "mistakes.toml")
    found = by_label(tmp_path / "runs" / "mistakes")
    for name, sentence in REFUSED.items():
        assert found[name]["status"] == "failed", name
        assert sentence in found[name]["error"]["message"], found[name]["error"]["message"]
    for name in set(names) - set(REFUSED):
        assert found[name]["status"] == "done", (name, found[name].get("error"))
    accuracy = found["Net"]["metrics"]["accuracy"]
    for name in ("Named", "Pair", "Uncopyable", "Caches"):
        assert found[name]["metrics"]["accuracy"] == accuracy, f"{name}: the same network in another form"
    assert any("its answers are random" in note for note in found["AlwaysDropout"]["notes"])
    assert any("trained in contiguous memory" in note for note in found["Views"]["notes"])
    losses = [found[name]["measurements"]["validation_loss"] for name in ("Views", "Reshapes")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_one_logit_for_two_classes_is_named_and_drop_last_trains_what_a_batch_of_one_cannot(arena, tmp_path):
    (tmp_path / "mistakes.py").write_text(PLUGIN)
    (tmp_path / "two.py").write_text(TWO)
    text = SPEC.replace('"mistakes.py"', '"mistakes.py", "two.py"').replace('name = "digits"', 'name = "two-digits"')
    (tmp_path / "two.toml").write_text(
        text.replace("193", "100").replace("test_limit = 100\n", "") + '[[model]]\nname = "OneLogit"\n'
    )
    arena("run", "two.toml")
    (record,) = by_label(tmp_path / "runs" / "two").values()
    assert "one logit for two classes: return two" in record["error"]["message"]
    (tmp_path / "dropped.toml").write_text(SPEC + 'drop_last = true\n[[model]]\nname = "BatchOfOne"\n')
    arena("run", "dropped.toml")
    (record,) = by_label(tmp_path / "runs" / "dropped").values()
    assert record["status"] == "done", record
    assert record["measurements"]["steps"] == 2 * 3


TWO = """
import dataclasses

import numpy as np

from mnistarena import DataContext, DatasetDef, Params, hookimpl


class NoParams(Params):
    pass


def load(params, context):
    from mnistarena.builtin.datasets.digits import NoParams as Digits, load_digits

    data = load_digits(Digits(), context)
    train, test = (np.flatnonzero(labels < 2) for labels in (data.train_labels, data.test_labels))
    return dataclasses.replace(
        data, train_images=data.train_images[train], train_labels=data.train_labels[train],
        test_images=data.test_images[test], test_labels=data.test_labels[test], class_names=("0", "1"),
    )


@hookimpl
def arena_datasets():
    return [DatasetDef("two-digits", "zeros and ones", params=NoParams, load=load)]
"""
