"""The training loop, its schedules and its bookkeeping, on real digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mnistarena import DataContext, TrialError
from mnistarena.builtin import transforms
from mnistarena.builtin.datasets import digits
from mnistarena.data.dataset import task_of
from mnistarena.data.splits import SplitRule, split_dataset
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.engine.history import row_ends
from mnistarena.engine.layout import set_format
from mnistarena.engine.parts import Schedule
from mnistarena.engine.prediction import scores
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import autocast
from mnistarena.engine.training import train
from mnistarena.engine.watch import Watch
from mnistarena.plugin.registry import built_in
from mnistarena.spec.schema import Training

DIGITS = digits.load_digits(digits.NoParams(), DataContext(Path()))
PARTS = split_dataset(DIGITS, SplitRule(200))
CPU = torch.device("cpu")


def batches(rows, chain=None, keep=True):
    chain = chain or Chain([], task_of(DIGITS, PARTS))
    return Batches(DIGITS.train_images[rows], DIGITS.train_labels[rows], chain=chain, device=CPU, keep=keep)


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def trained(recipe, model=None, seed=0, train_split=None):
    model = model or linear()
    held, rows = batches(PARTS.validation), []
    amp = autocast(recipe, CPU)
    watch = Watch(lambda: scores(model, held, 10, amp), rows.append)
    outcome = train(model, train_split or batches(PARTS.train), recipe, seed=seed, watch=watch)
    return model, outcome, rows


def recipe(**changes):
    return Training(**{"epochs": 3, "optimizer": {"name": "adam", "lr": 0.01}, **changes})


def test_it_learns_and_the_history_has_a_row_an_epoch():
    _, outcome, rows = trained(recipe())
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["step"] == outcome["steps"] == 3 * -(-len(PARTS.train) // 64)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] / 2
    assert outcome["validation_accuracy"] == rows[-1]["validation_accuracy"] > 0.85
    assert rows[-1]["train_seconds"] == outcome["train_seconds"] > rows[0]["train_seconds"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_order():
    weights = [trained(recipe(), seed=seed)[0][1].weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_keeping_transformed_images_changes_nothing():
    normalize = {d.name: d for d in transforms.arena_transforms()}["normalize"]
    results = []
    for keep in (True, False):
        chain = Chain([(normalize, normalize.params())], task_of(DIGITS, PARTS))
        results.append(trained(recipe(), train_split=batches(PARTS.train, chain, keep))[0][1].weight)
    assert torch.equal(*results)


def test_best_keeps_the_weights_of_the_best_validation_epoch():
    wild = recipe(epochs=8, optimizer={"name": "sgd", "lr": 3.0}, select="best")
    model, outcome, rows = trained(wild)
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    assert outcome["selected_epoch"] == best["epoch"]
    assert best["epoch"] != 8, "the case must be one in which the last epoch is not the best"
    found = scores(model, batches(PARTS.validation), 10, autocast(wild, CPU))
    assert found["validation_accuracy"] == best["validation_accuracy"] == outcome["validation_accuracy"]


def test_steps_end_a_training_within_an_epoch_with_ten_rows():
    _, outcome, rows = trained(recipe(epochs=None, steps=11))
    assert outcome["steps"] == 11
    assert rows[-1]["step"] == 11
    assert rows[-1]["validation_accuracy"] is not None
    assert len(rows) == 10
    assert [row["validation_accuracy"] for row in rows[:-1]] == [None] * 9
    assert row_ends(recipe(epochs=None, steps=25), per_epoch=10, total=25) >= {10, 20, 25}


def test_divergence_is_named_with_epoch_and_step():
    with pytest.raises(TrialError, match=r"training diverged.*epoch 1, at step 2"):
        trained(recipe(optimizer={"name": "sgd", "lr": 1e38}))


def test_a_model_may_bring_its_own_loss():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.calls = nn.Linear(64, 10), 0

        def forward(self, images):
            return self.linear(images.flatten(1))

        def training_loss(self, images, labels):
            self.calls += 1
            return self(images).square().mean()

    model, outcome, _ = trained(recipe(epochs=2), model=Own())
    assert model.calls == outcome["steps"]
    assert outcome["train_loss"] < 0.01


@pytest.mark.parametrize("loss", ["cross-entropy", "multi-margin", "brier"])
@pytest.mark.parametrize("optimizer", [{"name": "SGD", "lr": 1.0}, {"name": "adamw", "lr": 0.01}, {"name": "rmsprop"}])
def test_every_loss_and_optimizer_learns(loss, optimizer):
    _, outcome, _ = trained(recipe(loss=loss, optimizer=optimizer, gradient_clip=1.0))
    assert outcome["validation_accuracy"] > 0.7


def test_a_dropout_stream_starts_anew_each_epoch():
    """So that a training which continues at an epoch sees what an undisturbed one saw."""
    assert len({derive(0, "noise", epoch) for epoch in range(100)} | {derive(1, "noise", 1)}) == 101
    assert derive(3, "order", 1) == derive(3, "order", 1) < 2**63


def test_an_epoch_shows_each_image_once_and_random_transforms_rest_in_evaluation():
    affine = {d.name: d for d in transforms.arena_transforms()}["random-affine"]
    split = batches(PARTS.train, Chain([(affine, affine.params())], task_of(DIGITS, PARTS)))
    labels = torch.cat([labels for _, labels in split.epoch(50, 1, 1)])
    assert np.array_equal(labels.bincount().numpy(), np.bincount(DIGITS.train_labels[PARTS.train]))
    untouched = torch.cat([images for images, _ in split.in_order()])
    assert np.array_equal((untouched * 255).round().numpy(), DIGITS.train_images[PARTS.train])
    first, again, other = (torch.cat([i for i, _ in split.epoch(50, 1, s)]) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_schedules_have_the_shapes_of_their_names():
    def curve(total=100, **table):
        schedule = Schedule(recipe(schedule=table), total, 10, built_in())
        return [schedule.factor(step) for step in range(total)]

    assert set(curve()) == {1.0}
    cosine = curve(name="cosine", warmup_steps=10)
    assert cosine[:10] == [pytest.approx((i + 1) / 11) for i in range(10)]
    assert cosine[10] == 1
    assert cosine[55] == pytest.approx(0.5)
    assert 0 < cosine[99] < 0.001
    cycle = curve(name="one-cycle", peak=0.25)
    assert (cycle[0], cycle.index(max(cycle)), max(cycle)) == (0.04, 25, 1.0)
    assert cycle[99] < 0.02
    stairs = curve(name="step", every=40, gamma=0.5)
    assert (stairs[0], stairs[40], stairs[99]) == (1, 0.5, 0.25)


def test_the_first_convolution_already_answers_in_the_fast_format():
    """One channel's strides fit both formats; the kernel's must say which is meant."""
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3))
    set_format(model, torch.channels_last)
    answer = model[0](next(iter(batches(PARTS.train[:4]).in_order()))[0])
    assert answer.is_contiguous(memory_format=torch.channels_last)
    assert not answer.is_contiguous()


def test_a_model_that_cannot_be_copied_is_trained_and_the_warm_up_leaves_no_trace():
    class Counting(nn.Sequential):
        calls = 0

        def __deepcopy__(self, memo):
            raise TypeError("not to be copied")

        def forward(self, images):
            self.calls += self.training
            return super().forward(images)

    torch.manual_seed(0)
    model = Counting(nn.Flatten(), nn.Linear(64, 10))
    _, outcome, _ = trained(recipe(), model=model)
    assert model.calls == outcome["steps"]
    assert torch.equal(model[1].weight, trained(recipe())[0][1].weight)
