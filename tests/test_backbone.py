"""A frozen backbone's features are computed once, and give the numbers that computing them anew gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import mnistarena
from mnistarena import DataContext, backbone, data
from mnistarena.batches import Batches, Chain
from mnistarena.builtin import datasets, transforms
from mnistarena.evaluation import scores
from mnistarena.spec.schema import Training
from mnistarena.training import autocast, train

DIGITS = datasets.load_digits(datasets.NoParams(), DataContext(Path()))
PARTS = data.split(DIGITS, validation=200, split_seed=0, train_limit=None, test_limit=None)
CPU = torch.device("cpu")
NORMALIZE = {d.name: d for d in transforms.arena_transforms()}["normalize"]


def split(rows):
    chain = Chain([(NORMALIZE, NORMALIZE.params())], data.task(DIGITS, PARTS))
    return Batches(DIGITS.train_images[rows], DIGITS.train_labels[rows], chain, CPU, keep=False)


def network():
    """A backbone with what behaves otherwise while training: batch statistics and dropout."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5))
    return backbone.Split(nn.Sequential(*layers, nn.Linear(288, 10)), "5")


def trained(model, train_split, held):
    recipe, rows = Training(epochs=3, optimizer={"name": "adam", "lr": 0.01}), []
    amp = autocast(recipe, CPU)
    train(model, train_split, recipe, 0, lambda: scores(model, held, 10, amp), rows.append, lambda *news: None)
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
    monkeypatch.setattr("mnistarena.batches.CACHE_BYTES", 1000)
    assert backbone.features(network().backbone, split(PARTS.train), autocast(Training(epochs=1), CPU)) is None


def test_alexnet_with_a_frozen_backbone_trains_its_last_layer_only(tmp_path):
    chain = [{"name": "resize", "size": 63}, "to-rgb"]
    # A transform that changes nothing, but is random: the engine must compute features anew.
    still = {"name": "random-erasing", "probability": 0.0}
    model = {"name": "alexnet", "params": {"weights": ["none"], "freeze": "backbone"}}
    spec = {
        "benchmark": {"name": "frozen", "metrics": ["accuracy"], "keep_models": False},
        "dataset": [{"name": "mnist", "train_limit": 300, "validation": 50, "test_limit": 100}],
        "training": {"epochs": 1, "batch_size": 50},
        "model": [{**model, "label": "once", "transforms": chain}, {**model, "transforms": [*chain, still]}],
    }
    once, anew = mnistarena.run(spec, out=tmp_path, options=mnistarena.Options(jobs=1, threads=1)).trials
    assert once.done, once.error
    assert "features" in once.measurements["stage_seconds"]
    assert "features" not in anew.measurements["stage_seconds"]
    assert once.measurements["trainable_parameters"] == 4096 * 10 + 10
    assert once.measurements["parameters"] == 57_044_810
    assert any("frozen backbone is random" in note for note in once.notes)
    for key in ("train_loss", "validation_loss"):
        assert once.measurements[key] == pytest.approx(anew.measurements[key], rel=1e-4)
    assert abs(once.predictions().probabilities - anew.predictions().probabilities).max() < 1e-4
