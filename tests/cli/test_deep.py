"""`arena validate --deep` and `arena plan` name what a training would fail of, recipe by recipe, and train nothing."""

from __future__ import annotations

import json
import re

PLUGIN = '''
import os
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, hookimpl


@dataclass
class Answer:
    scores: torch.Tensor


class Net(nn.Module):
    outputs = 10

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, self.outputs))

    def forward(self, images):
        return self.net(images)


class ThousandLogits(Net):
    outputs = 1000


class NotFinite(Net):
    def forward(self, images):
        return self.net(images).log()


class Unnamed(Net):
    def forward(self, images):
        return Answer(self.net(images))


class BatchOfOne(Net):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))


class WrongSize(Net):
    def forward(self, images):
        return self.net[1](images.flatten(1)[:, :60])


class OwnLossFails(Net):
    def training_loss(self, images, labels):
        return labels["class"]


class AlwaysDropout(Net):
    def forward(self, images):
        return self.net(functional.dropout(images))


class Raises:
    def __init__(self):
        raise RuntimeError("built on sand")


class Dies:
    def __init__(self):
        os.abort()


class Hangs:
    def __init__(self):
        time.sleep(86399)


class TrainsItself(Net):
    def fit(self, training):
        raise AssertionError("not before its trial")


class Means:
    """The class of the nearest mean; it asks for as many images as a PCA of 500 components would."""

    def fit(self, features, labels):
        if len(labels) < 500:
            raise ValueError("n_components=500 must be at most the number of images")
        self.classes_ = np.unique(labels)
        self.means = np.stack([features[labels == label].mean(0) for label in self.classes_])

    def predict(self, features):
        return self.classes_[((features[:, None] - self.means) ** 2).sum(2).argmin(1)]


class Unsure(Means):
    def predict_proba(self, features):
        return np.full((len(features), len(self.classes_)), np.nan)


@hookimpl
def arena_models():
    for kind in (Net, ThousandLogits, NotFinite, Unnamed, BatchOfOne, WrongSize, OwnLossFails, AlwaysDropout, Raises,
                 Dies, Hangs, TrainsItself, Means, Unsure):
        yield ModelDef(kind.__name__, kind.__name__, params=Params, build=lambda params, task, kind=kind: kind())
'''

SPEC = """
plugins = ["mistakes.py"]
[benchmark]
name = "mistakes"
seeds = [0, 1]
[[dataset]]
name = "digits"
train_limit = 641
validation = 50
test_limit = 100
[training]
epochs = 1
batch_size = 64
"""

REFUSED = {
    "ThousandLogits": "forward returned (8, 1000) for 8 images, wanted (8, 10): 1,000 logits for 10 classes",
    "NotFinite": "forward returned values that are not finite for 8 training images, before any training",
    "Unnamed": "forward returned Answer: return a tensor of logits (8, 10), or an object with .logits",
    "BatchOfOne": "each epoch would end with a batch of one image (641 images, 64 a step)",
    "WrongSize": "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x60 and 64x10) (mistakes.py, line 52, in f",
    "OwnLossFails": "IndexError: too many indices for tensor of dimension 1 (mistakes.py, line 57, in training_loss)",
    "Raises": "RuntimeError: built on sand (mistakes.py, line 67, in __init__)",
    "Dies": "the process was ended by SIGABRT (mistakes.py, line 72, in __init__)",
    "Hangs": "after 2 s it has given no outputs yet: its build or its forward hangs, or is slow",
    "Unsure": "predict_proba returned values that are not finite",
    "augmented": "a scikit-learn model sees each image once: a random transform has no meaning for it",
}
FINE = ("Net", "AlwaysDropout", "TrainsItself", "Means")


def test_each_mistake_is_named_with_its_recipe_before_anything_runs(arena, tmp_path):
    (tmp_path / "mistakes.py").write_text(PLUGIN)
    models = {name: f'name = "{name}"\n' for name in (*REFUSED, *FINE)}
    models["Hangs"] += 'training = { time_limit = "2s" }\n'
    models["augmented"] = 'name = "Means"\nlabel = "augmented"\ntransforms = ["random-erasing"]\n'
    (tmp_path / "deep.toml").write_text(SPEC + "".join(f"[[model]]\n{text}" for text in models.values()))
    assert arena("validate", "deep.toml").status == 0, "the spec itself is fine"

    deep = arena("validate", "deep.toml", "--deep", COLUMNS="80")
    assert deep.status == 2, deep.out + deep.err
    problems = re.findall(r'^(?:error: )?deep.toml:\d+: model\[\d+\] "(\w+)": \1(.*) on digits: (.*)$', deep.err, re.M)
    assert [label for label, *_ in problems] == list(REFUSED), deep.err
    for label, model, sentence in problems:
        assert sentence.startswith(REFUSED[label])
        assert model == (" (model Means)" if label == "augmented" else "")
    lines = deep.out.splitlines()
    for label in FINE:
        assert any(line.startswith(f"  {label} on digits: ok") for line in lines), deep.out
    for label in set(REFUSED) - {"augmented"}:
        assert f"  {label} on digits: cannot be trained" in lines
    assert any(line.startswith("  AlwaysDropout on digits: note: its answers are random") for line in lines)
    assert any(line.startswith("  TrainsItself on digits: ok (it trains itself") for line in lines)

    planned = arena("plan", "deep.toml", "--json")
    assert planned.status == 0, planned.err
    found = {trial["label"]: trial["estimate"] for trial in json.loads(planned.out)["trials"]}
    said = {label: one["problem"] for label, one in found.items() if one["problem"]}
    assert said.pop("Hangs").startswith(REFUSED["Hangs"])  # on a busy machine it may be ended before it says where
    assert said == {label: sentence for label, _, sentence in problems if label != "Hangs"}
    for label in ("Net", "AlwaysDropout", "Means"):
        assert found[label]["seconds"] > 0
    assert "how long its fit(training) takes" in found["TrainsItself"]["unknown"]
    assert not (tmp_path / "runs").exists()
