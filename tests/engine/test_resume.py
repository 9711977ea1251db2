"""A training that was stopped anywhere, with any key of [training], continues with the same bits."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mnistarena import OptimizerDef, Params
from mnistarena.builtin import trivial_augment
from mnistarena.engine.chain import Chain
from mnistarena.engine.checkpoint import Checkpoints
from mnistarena.engine.packing import Unusable
from mnistarena.plugin.registry import Component, built_in

from .recipes import (
    TASK,
    batches,
    figures,
    loop,
    network,
    plain_network,
    recipe,
    same,
    stopped_after,
    trained,
    validated,
)

LAST = {"monitor": "f1_macro", "patience": 2, "select": "best", "epochs": 30}
WILD = {"name": "sgd", "lr": 2.0}
SGD = {"name": "sgd", "lr": 0.1}

RECIPES = {
    "loss": {"loss": {"name": "focal", "gamma": 1.0}},
    "class_weights": {"class_weights": "balanced"},
    "sampling": {"sampling": "balanced"},
    "mixup": {"augmentations": ["mixup"]},
    "cutmix": {"augmentations": [{"name": "cutmix", "alpha": 0.5, "probability": 0.5}]},
    "smoothed mixup": {"augmentations": ["mixup"], "label_smoothing": 0.1},
    "accumulate": {"batch_size": 16, "accumulate": 4},
    "drop_last": {"drop_last": True},
    "decayed": {"decayed": "weights", "optimizer": {"name": "adamw", "lr": 0.01}},
    "groups": {"groups": [{"match": "*.bias", "weight_decay": 0}, {"match": "5.*", "optimizer": {"name": "adam"}}]},
    "exponential": {"schedule": {"name": "exponential", "every": 7}},
    "linear": {"schedule": {"name": "linear", "warmup_steps": "1 epoch"}},
    "cosine-restarts": {"schedule": {"name": "cosine-restarts", "every": 4, "growth": 2}},
    "plateau": {"schedule": {"name": "plateau", "patience": 0, "threshold": 0.3, "gamma": 0.5}, "epochs": 6},
    "early stopping": {"optimizer": WILD, **LAST},
    "ema": {"average": {"name": "ema", "decay": 0.9}, "select": "best"},
    "swa": {"average": {"name": "swa", "start": 0.3}, "epochs": 4},
    "sam": {"optimizer": {"name": "sam", "lr": 0.05}},
    "lbfgs": {"optimizer": {"name": "lbfgs", "lr": 0.1, "max_iter": 3, "history_size": 3}, "precision": "float32"},
    "adafactor": {"optimizer": {"name": "adafactor"}},
    "muon": {
        "optimizer": {"name": "muon"},
        "groups": [{"match": "[01].*", "optimizer": SGD}, {"match": "*.bias", "optimizer": SGD}],
    },
    "schedule-free": {"optimizer": {"name": "schedule-free", "lr": 0.5}},
    "everything": {
        "augmentations": ["mixup"],
        "average": {"name": "ema", "decay": 0.8},
        "schedule": {"name": "plateau", "patience": 0, "threshold": 0.3, "warmup_steps": 3},
        "groups": [{"match": "1.*", "optimizer": {"name": "rmsprop", "lr": 0.001}}],
        "sampling": "balanced",
        "batch_size": 32,
        "accumulate": 2,
        "gradient_clip": 1.0,
        "select": "best",
        "monitor": "loss",
        "patience": 5,
    },
}


class ScheduleFreeParams(Params):
    lr: float = 1.0


class ScheduleFree(torch.optim.Optimizer):
    """SGD without a schedule (Defazio et al. 2024): gradients at y, the mean x for evaluation, z beside it."""

    def __init__(self, groups, lr, beta=0.9):
        super().__init__(groups, {"lr": lr, "beta": beta, "k": 0, "train_mode": False})
        self.modes = []

    @torch.no_grad()
    def _to(self, training):
        self.modes.append(training)
        for group in self.param_groups:
            if group["train_mode"] != training:
                for p in group["params"]:
                    if self.state[p]:
                        weight = 1 - group["beta"] if training else 1 - 1 / group["beta"]
                        p.lerp_(self.state[p]["z"], weight)
                group["train_mode"] = training

    def train(self):
        self._to(True)

    def eval(self):
        self._to(False)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            assert group["train_mode"]
            group["k"] += 1
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.clone())
                p.lerp_(z, 1 / group["k"])
                p.add_(p.grad, alpha=group["lr"] * (group["beta"] * (1 - 1 / group["k"]) - 1))
                z.sub_(p.grad, alpha=group["lr"])


MADE = []


def build_schedule_free(params, groups):
    MADE.append(ScheduleFree(groups, params.lr))
    return MADE[-1]


class Registry:
    """What is built in, and an optimizer of a plugin."""

    definition = OptimizerDef("schedule-free", "a mean", params=ScheduleFreeParams, build=build_schedule_free)

    def get(self, kind, name):
        if name == "schedule-free":
            return Component(kind, self.definition, plugin=None)
        return built_in().get(kind, name)


@pytest.mark.parametrize("name", RECIPES)
def test_it_continues_with_the_same_bits(name):
    wanted = recipe(**RECIPES[name])

    def build():
        return plain_network() if name == "lbfgs" else network(dropout=0.3)

    undisturbed, outcome, rows = trained(wanted, build(), Registry())
    for calls in (3, 6, 11):  # within the first epoch, at its end, and within the second or third
        model, again, further = stopped_after(calls, wanted, build, Registry())
        for key, value in undisturbed.state_dict().items():
            assert torch.equal(model.state_dict()[key], value), f"{key}, stopped at {calls}"
        assert figures(further) == figures(rows)[-len(further) :]
        assert again["selected_epoch"] == outcome["selected_epoch"]
        assert again["epochs"] == outcome["epochs"]


def test_what_a_library_draws_for_an_image_continues_with_the_same_bits():
    (definition,) = trivial_augment.arena_transforms()
    wanted = recipe(epochs=2)

    def augmented():
        return batches(chain=Chain([(definition, Params())], TASK))

    # Dropout draws from the streams that the transform's draws go through.
    undisturbed, _, rows = trained(wanted, network(dropout=0.3), Registry(), split=augmented())
    for calls in (3, 9):  # within the first epoch and within the second
        model, _, further = stopped_after(calls, wanted, lambda: network(dropout=0.3), Registry(), augmented())
        same(model, undisturbed, rtol=0, atol=0)
        assert figures(further) == figures(rows)[-len(further) :]
    plain, _, _ = trained(wanted, network(dropout=0.3), Registry())
    assert not torch.equal(plain.state_dict()["0.weight"], undisturbed.state_dict()["0.weight"])


def test_the_figures_are_worth_comparing():
    """Early stopping, plateau and selection do something in the recipes above."""
    _, outcome, rows = trained(recipe(**RECIPES["early stopping"]), network(0.3), Registry())
    assert outcome["selected_epoch"] == len(rows) - 2 < 28
    _, _, rows = trained(recipe(**RECIPES["plateau"]), network(0.3), Registry())
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"]


def test_an_optimizer_with_modes_trains_in_one_and_is_evaluated_in_the_other():
    model, outcome, rows = trained(recipe(**RECIPES["schedule-free"]), plain_network(), Registry())
    assert MADE[-1].modes == [True, False, True, False, True, False, True, False]
    theirs = plain_network()
    optimizer = ScheduleFree(theirs.parameters(), 0.5)
    found = []

    def after_epoch(epoch):
        optimizer.eval()
        found.append(validated(theirs))
        optimizer.train()

    optimizer.train()
    loop(theirs, optimizer, after_epoch=after_epoch)
    optimizer.eval()
    same(model, theirs)
    assert [row["validation_loss"] for row in rows] == pytest.approx([loss for loss, _ in found], rel=1e-5)
    assert validated(model)[1] == outcome["validation_accuracy"]


def test_a_checkpoint_that_does_not_fit_is_refused_and_state_that_cannot_be_kept_is_named(capsys):
    class Keeps(ScheduleFree):
        def step(self, closure=None):
            super().step()
            self.param_groups[0]["odd"] = object()

    class Other(Registry):
        definition = OptimizerDef(
            "schedule-free", "odd", params=ScheduleFreeParams, build=lambda params, groups: Keeps(groups, params.lr)
        )

    wanted = recipe(**RECIPES["schedule-free"])
    written = []
    trained(wanted, plain_network(), Other(), Checkpoints(lambda *one: written.append(one)))
    assert written == []
    assert "no checkpoints: the optimizer keeps an object in 0/groups/0/odd" in capsys.readouterr().out
    trained(recipe(epochs=1), plain_network(), None, Checkpoints(lambda *one: written.append(one)))
    with pytest.raises(Unusable, match="other tensors"):
        trained(recipe(), nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), None, Checkpoints(found=written[-1]))
