"""Short trainings on real digits, and the same as plain torch loops, for tests of what a recipe may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnistarena import DataContext
from mnistarena.builtin.datasets import digits
from mnistarena.data.dataset import task_of
from mnistarena.data.splits import SplitRule, split_dataset
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.engine.checkpoint import Checkpoints, Interrupted
from mnistarena.engine.monitor import Monitor
from mnistarena.engine.prediction import scores
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import autocast
from mnistarena.engine.training import train
from mnistarena.engine.watch import Watch
from mnistarena.plugin.registry import built_in
from mnistarena.spec.schema import Training

DIGITS = digits.load_digits(digits.NoParams(), DataContext(Path()))
PARTS = split_dataset(DIGITS, SplitRule(200, train_limit=300))
TASK = task_of(DIGITS, PARTS)
CPU = torch.device("cpu")
SEED = 4


def batches(rows=PARTS.train, task=TASK, chain=None):
    chain = chain or Chain([], task)
    return Batches(DIGITS.train_images[rows], DIGITS.train_labels[rows], chain=chain, device=CPU, keep=True)


def network(dropout=0.0):
    """A small convolutional network, the same each time; batch statistics and two kinds of parameters."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(144, 10)
    )


def plain_network():
    """One without batch statistics."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))


def recipe(**changes):
    return Training(**{"epochs": 3, "optimizer": {"name": "sgd", "lr": 0.1, "fused": False}, **changes})


def trained(wanted, model=None, registry=None, checkpoints=None, split=None, validation=True):
    """The model, how it went, and the rows of its history."""
    model, rows, registry = model or network(), [], registry or built_in()
    held, amp = batches(PARTS.validation), autocast(wanted, CPU)
    monitor = Monitor(wanted, registry)
    figure = monitor.figure if monitor.metric else None

    def validate():
        return scores(model, held, 10, amp, figure=figure) if validation else {}

    outcome = train(
        model,
        split or batches(),
        wanted,
        seed=SEED,
        registry=registry,
        watch=Watch(validate, rows.append),
        checkpoints=checkpoints,
    )
    return model, outcome, rows


def loop(
    model,
    optimizer,
    *,
    epochs=3,
    size=64,
    loss=functional.cross_entropy,
    drop_last=False,
    after_step=lambda step: None,
    after_epoch=lambda epoch: None,
):
    """A training as torch's tutorials have it, on the engine's batches; the mean loss of each epoch."""
    split, means, step = batches(), [], 0
    for epoch in range(1, epochs + 1):
        model.train()
        total = seen = 0
        torch.manual_seed(derive(SEED, "noise", epoch))
        for images, labels in split.epoch(
            size, derive(SEED, "order", epoch), derive(SEED, "augment", epoch), drop_last=drop_last
        ):
            optimizer.zero_grad()
            value = loss(model(images), labels)
            value.backward()
            optimizer.step()
            total, seen, step = total + value.item() * len(images), seen + len(images), step + 1
            after_step(step)
        means.append(total / seen)
        after_epoch(epoch)
    return means


def sgd(model, **arguments):
    return torch.optim.SGD(model.parameters(), **{"lr": 0.1, **arguments})


def validated(model):
    """Loss and accuracy on the validation split."""
    found = scores(model, batches(PARTS.validation), 10, autocast(recipe(), CPU))
    return found["validation_loss"], found["validation_accuracy"]


def same(one, other, rtol=1e-5, atol=1e-6):
    """Two models have equal parameters and buffers but for rounding."""
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=rtol, atol=atol, msg=name)


def stopped_after(calls, wanted, build, registry=None, split=None):
    """Stop a training when it asks for the n-th time whether to, and train on from the checkpoint."""
    written, asked = [], [0]

    def ask():
        asked[0] += 1
        return asked[0] >= calls

    first = Checkpoints(lambda state, arrays: written.append((json.loads(json.dumps(state)), arrays)), asked=ask)
    with pytest.raises(Interrupted):
        trained(wanted, build(), registry, first, split)
    torch.manual_seed(99)
    found = written[-1][0], {name: array.copy() for name, array in written[-1][1].items()}
    assert found[0]["step"] > 0
    return trained(wanted, build(), registry, Checkpoints(found=found), split)


def figures(rows):
    return [{key: value for key, value in row.items() if not key.endswith("seconds")} for row in rows]
