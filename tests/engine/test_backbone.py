"""A frozen backbone's features are computed once, and give the numbers that computing them anew gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import mnistarena
from mnistarena import DataContext
from mnistarena.builtin import transforms
from mnistarena.builtin.datasets import digits
from mnistarena.data.dataset import task_of
from mnistarena.data.splits import SplitRule, split_dataset
from mnistarena.engine import backbone
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.engine.prediction import scores
from mnistarena.engine.step import autocast
from mnistarena.engine.training import train
from mnistarena.engine.watch import Watch
from mnistarena.spec.schema import Training

DIGITS = digits.load_digits(digits.NoParams(), DataContext(Path()))
PARTS = split_dataset(DIGITS, SplitRule(200))
CPU = torch.device("cpu")
NORMALIZE = {d.name: d for d in transforms.arena_transforms()}["normalize"]


def split(rows):
    chain = Chain([(NORMALIZE, NORMALIZE.params())], task_of(DIGITS, PARTS))
    return Batches(DIGITS.train_images[rows], DIGITS.train_labels[rows], chain=chain, device=CPU, keep=False)


def network():
    """A backbone with what behaves otherwise while training: batch statistics and dropout."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5))
    return backbone.FrozenBackbone(nn.Sequential(*layers, nn.Linear(288, 10)), "5")


def trained(model, train_split, held):
    recipe, rows = Training(epochs=3, optimizer={"name": "adam", "lr": 0.01}), []
    amp = autocast(recipe, CPU)
    train(model, train_split, recipe, seed=0, watch=Watch(lambda: scores(model, held, 10, amp), rows.append))
    return rows


def test_the_head_learns_from_stored_features_what_it_learns_through_the_backbone():
    amp = autocast(Training(epochs=1), CPU)
    through, once = network(), network()
    before = {name: value.clone() for name, value in through.backbone.state_dict().items()}
    rows = trained(through, split(PARTS.train), split(PARTS.validation))
    features = [backbone.features(once.backbone, split(part), amp) for part in (PARTS.train, PARTS.validation)]
    again = trained(once.head, *features)
    for one, other in zip(rows, again, strict=True):
        for key in ("train_loss", "validation_loss", "validation_accuracy"):
            assert one[key] == pytest.approx(other[key], abs=1e-5)
    assert rows[-1]["validation_accuracy"] > 0.9
    torch.testing.assert_close(through.head.weight, once.head.weight, atol=1e-4, rtol=1e-4)
    for name, value in through.backbone.state_dict().items():
        assert torch.equal(value, before[name]), "a frozen backbone changed"


def test_features_that_do_not_fit_in_memory_are_not_stored(monkeypatch):
    monkeypatch.setattr("mnistarena.engine.batches.CACHE_BYTES", 1000)
    assert backbone.features(network().backbone, split(PARTS.train), autocast(Training(epochs=1), CPU)) is None


def test_a_model_with_a_frozen_backbone_trains_its_last_layer_only(tmp_path):
    # A transform that changes nothing, but is random: the engine must compute features anew.
    still = {"name": "random-erasing", "probability": 0.0}
    model = {"name": "cnn", "params": {"freeze": "backbone"}}
    spec = {
        "benchmark": {"name": "frozen", "metrics": ["accuracy"], "keep_models": False},
        "dataset": [{"name": "mnist", "train_limit": 100, "validation": 50, "test_limit": 50}],
        "training": {"epochs": 1, "batch_size": 50},
        "model": [{**model, "label": "once"}, {**model, "transforms": [still]}],
    }
    once, anew = mnistarena.run(spec, out=tmp_path, options=mnistarena.Options(jobs=1, threads=1)).trials
    assert once.done, once.error
    assert "features" in once.measurements["stage_seconds"]
    assert "features" not in anew.measurements["stage_seconds"]
    assert once.measurements["trainable_parameters"] == 84 * 10 + 10
    assert once.measurements["parameters"] == 212_542
    assert any("frozen backbone is random" in note for note in once.notes)
    for key in ("train_loss", "validation_loss"):
        assert once.measurements[key] == pytest.approx(anew.measurements[key], rel=1e-4)
    assert abs(once.predictions().probabilities - anew.predictions().probabilities).max() < 1e-4


class Scaled(nn.Module):
    """A forward that does more than head(backbone(x)); `between` has parameters that are trained, or none."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 32)).requires_grad_(False)
        self.between, self.head = between, nn.Linear(32, 10)

    def forward(self, images):
        return self.head(self.between(self.backbone(images)))


class Twice(nn.Module):
    def forward(self, features):
        return 10 * features


def test_a_forward_that_does_more_than_head_of_backbone_is_not_cut():
    images = torch.rand(8, 1, 8, 8)
    amp = autocast(Training(epochs=1), CPU)
    assert backbone.is_head_of_backbone(network(), images, amp)
    assert backbone.is_head_of_backbone(Scaled(nn.Identity()), images, amp)
    assert not backbone.is_head_of_backbone(Scaled(Twice()), images, amp)
    assert backbone.frozen_parts(Scaled(nn.LayerNorm(32))) is None, "what is between is trained, too"
    assert not backbone.is_head_of_backbone(Scaled(nn.LayerNorm(32)), images, amp)


PLUGIN = """
import torch
from torch import nn
import mnistarena
from mnistarena import ModelDef, Params, hookimpl

class NoParams(Params):
    pass

class Net(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU()).requires_grad_(False)
        self.norm = nn.LayerNorm(128)
        self.head = nn.Linear(128, task.n_classes)

    def forward(self, images):
        return self.head(self.norm(20 * self.backbone(images)))

@hookimpl
def arena_models():
    return [ModelDef("net", "frozen, then normalised", params=NoParams, build=lambda params, task: Net(task))]
"""


def test_trainable_parameters_between_backbone_and_head_are_trained_as_in_a_plain_loop(tmp_path):
    plugin = tmp_path / "between.py"
    plugin.write_text(PLUGIN)
    spec = {
        "plugins": [str(plugin)],
        "benchmark": {"name": "between", "metrics": ["accuracy"]},
        "dataset": [{"name": "digits", "validation": 200}],
        "training": {"epochs": 5, "batch_size": 64},
        "model": [{"name": "net"}],
    }
    (trial,) = mnistarena.run(spec, out=tmp_path / "run", options=mnistarena.Options(jobs=1, threads=1)).trials
    assert trial.done, trial.error
    assert not any("the head alone was trained" in note for note in trial.notes)
    model = trial.restore(plugins=[plugin])
    assert not torch.equal(model.model.norm.weight, torch.ones(128)), "the layer between was not trained"
    assert trial.metrics["accuracy"] == pytest.approx(plain_loop(), abs=0.03)


def plain_loop() -> float:
    """The same network, trained as its author would train it; its accuracy on the test split."""
    namespace: dict = {}
    exec(PLUGIN, namespace)
    torch.manual_seed(0)
    model = namespace["Net"](task_of(DIGITS, PARTS))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    images = torch.from_numpy(DIGITS.train_images[PARTS.train]).float() / 255
    labels = torch.from_numpy(DIGITS.train_labels[PARTS.train])
    for _ in range(5):
        for rows in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        predicted = model(torch.from_numpy(DIGITS.test_images).float() / 255).argmax(1)
    return (predicted == torch.from_numpy(DIGITS.test_labels)).double().mean().item()
