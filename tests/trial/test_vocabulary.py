"""A plugin's loss, schedule, optimizer and augmentation in a spec: trained with, recorded, part of the identity."""

from __future__ import annotations

import json

import pytest

from mnistarena.plan.lookup import registry_for
from mnistarena.plan.resolve import resolve
from mnistarena.spec.load import load_spec

from ..helpers import by_label

PLUGIN = """
from mnistarena import AugmentationDef, LossDef, ModelDef, OptimizerDef, Params, ScheduleDef, hookimpl
from pydantic import Field


class NoParams(Params):
    pass


class Rate(Params):
    lr: float = Field(0.1, gt=0, description="the learning rate")


class Power(Params):
    power: float = Field(2.0, gt=0, description="of the differences")


def build_model(params, task):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, task.n_classes))


def build_loss(params, task):
    from torch.nn import functional

    assert sum(task.class_counts) == task.n_train == 250

    def loss(outputs, targets):
        soft = targets if targets.dim() == 2 else functional.one_hot(targets, task.n_classes)
        return (outputs.softmax(1) - soft).abs().pow(params.power).sum(1).mean()

    return loss


def build_optimizer(params, groups):
    import torch

    return torch.optim.SGD(groups, lr=params.lr)


def build_augmentation(params, task):
    import torch

    def apply(images, targets, generator):
        flip = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
        return torch.where(flip, images.flip(3), images), targets

    return apply


@hookimpl
def arena_models():
    return [ModelDef("line", "a linear model", params=NoParams, build=build_model)]


@hookimpl
def arena_losses():
    return [LossDef("power", "a power of differences", params=Power, build=build_loss, soft_targets=True)]


@hookimpl
def arena_optimizers():
    return [OptimizerDef("descent", "plain descent", params=Rate, build=build_optimizer)]


@hookimpl
def arena_schedules():
    return [ScheduleDef("half", "half of it", params=NoParams, build=lambda params, total, per_epoch: lambda step: 0.5)]


@hookimpl
def arena_augmentations():
    return [AugmentationDef("mirror", "half of them mirrored", params=NoParams, build=build_augmentation)]
"""

SPEC = """
plugins = ["mine.py"]

[benchmark]
name = "parts of a plugin"

[[dataset]]
name = "digits"
train_limit = 250
validation = 50

[training]
epochs = 2
loss = "power"
optimizer = { name = "descent", lr = 0.2 }
schedule = { name = "half" }
augmentations = ["mirror", "mixup"]
monitor = "f1_macro"
select = "best"

[[model]]
name = "line"

[[model]]
name = "line"
label = "built in"
training.loss = "cross-entropy"
training.optimizer = { name = "sgd", lr = 0.1 }
training.schedule = { name = "constant" }
training.augmentations = []
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path


def identities(folder):
    spec = load_spec(folder / "spec.toml")
    return {trial.recipe.label: trial.identity for trial in resolve(spec, registry_for(spec)).trials()}


def test_it_is_trained_with_and_recorded(arena, folder):
    result = arena("run", "spec.toml", "--out", "run")
    assert result.status == 0, result.out + result.err
    found = by_label(folder / "run")
    assert found["line"]["status"] == found["built in"]["status"] == "done"
    plan = json.loads((folder / "run" / "plan.json").read_text())
    training = plan["entries"][0]["training"]
    assert training["loss"] == {"name": "power", "power": 2.0}
    assert training["augmentations"] == [{"name": "mirror"}, {"name": "mixup", "alpha": 1.0, "probability": 1.0}]
    history = next((folder / "run" / "trials").glob("line*/history.jsonl")).read_text().splitlines()
    rows = [json.loads(line) for line in history]
    assert [row["learning_rate"] for row in rows] == [0.1, 0.1]
    assert all(0 <= row["validation_monitor"] <= 1 for row in rows)
    again = arena("run", "spec.toml", "--out", "run")
    assert again.status == 0


def test_its_source_and_its_parameters_are_part_of_the_identity(folder):
    before = identities(folder)
    assert "mine.py:mine" in before["line"]["sources"]
    assert {"mnistarena:builtin-augmentations", "mnistarena:builtin-metrics"} <= set(before["line"]["sources"])
    assert {"mnistarena:builtin-losses", "mnistarena:builtin-schedules"} <= set(before["built in"]["sources"])
    (folder / "mine.py").write_text(PLUGIN.replace("power: float = Field(2.0", "power: float = Field(3.0"))
    after = identities(folder)
    assert after["line"]["training"]["loss"] == {"name": "power", "power": 3.0}
    assert after["line"]["sources"]["mine.py:mine"] != before["line"]["sources"]["mine.py:mine"]


def test_smoothing_said_in_either_place_is_the_same_identity(folder):
    keys = 'loss = "cross-entropy"\nlabel_smoothing = 0.1', 'loss = { name = "cross-entropy", label_smoothing = 0.1 }'
    found = []
    for text in keys:
        (folder / "spec.toml").write_text(SPEC.replace('loss = "power"', text))
        found.append(identities(folder)["line"])
    assert found[0] == found[1]
    assert found[0]["training"]["loss"] == {"name": "cross-entropy", "label_smoothing": 0.1}


def test_a_name_of_torchs_cannot_be_taken(arena, folder):
    (folder / "mine.py").write_text(PLUGIN.replace('"descent"', '"sgd"'))
    (folder / "spec.toml").write_text(SPEC.replace('"descent"', '"sgd"'))
    result = arena("validate", "spec.toml")
    assert result.status == 2
    assert '"sgd" is a class of torch.optim and of mine.py' in result.err


def test_they_are_listed_and_shown(arena, folder):
    for plural, kind, name in (
        ("losses", "loss", "power"),
        ("optimizers", "optimizer", "descent"),
        ("schedules", "schedule", "half"),
        ("augmentations", "augmentation", "mirror"),
    ):
        assert name in arena("list", plural, "--plugin", "mine.py").out
        assert "mine.py" in arena("show", kind, name, "--plugin", "mine.py").out
    assert "rho" in arena("show", "optimizer", "sam").out
