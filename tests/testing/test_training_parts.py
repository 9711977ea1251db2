"""The kit names the defect of a broken optimizer, loss, schedule or augmentation, and nothing in a sound one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import Field

from mnistarena import AugmentationDef, LossDef, OptimizerDef, Params, ScheduleDef
from mnistarena.builtin import augmentations, losses, optimizers, schedules

from .test_kit import failures


class NoParams(Params):
    """No parameters."""


class RateParams(Params):
    """Parameters of an optimizer."""

    lr: float = Field(0.1, gt=0, description="the learning rate")


BUILT_IN = [
    *losses.arena_losses(),
    *schedules.arena_schedules(),
    *augmentations.arena_augmentations(),
    *optimizers.arena_optimizers(),
]


@pytest.mark.parametrize("definition", BUILT_IN, ids=lambda d: d.name)
def test_what_is_built_in_passes(definition):
    assert failures(definition) == {}


def loss(function, **changes):
    return LossDef("mine", "a loss", params=NoParams, build=lambda params, task: function, **changes)


def detached(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs.detach(), targets)


def naive(outputs, targets):
    return -outputs.softmax(1).gather(1, targets[:, None]).log().mean()


def wrong_sign(outputs, targets):
    import torch

    return -torch.nn.functional.cross_entropy(outputs, targets)


def summed(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs, targets, reduction="sum")


def per_image(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")


def noisy(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs, targets) + 0.01 * torch.rand(())


def in_place(outputs, targets):
    import torch

    return torch.nn.functional.cross_entropy(outputs.mul_(2) if not outputs.requires_grad else 2 * outputs, targets)


def rounded_targets(outputs, targets):
    import torch

    hard = targets if targets.dim() == 1 else (targets.argmax(1) + 1) % 10
    return torch.nn.functional.cross_entropy(outputs, hard)


def ignores_weights(outputs, targets, weights=None):
    import torch

    return torch.nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("function", "changes", "check", "words"),
    [
        (detached, {}, "gradient", "no gradient reaches the logits; use them without detach"),
        (naive, {}, "value", "compute with log_softmax instead of the logarithm of a softmax"),
        (per_image, {}, "value", "it returned a tensor (24,); return a scalar tensor"),
        (wrong_sign, {}, "direction", "has it the wrong sign?"),
        (summed, {}, "mean", "take the mean over the images"),
        (noisy, {}, "repeatable", "it draws from the global random stream of torch; a loss is a function of logits"),
        (in_place, {}, "inputs-untouched", "no operation in place"),
        (rounded_targets, {"soft_targets": True}, "soft-targets", "let targets of two dimensions be probabilities"),
        (ignores_weights, {"class_weights": True}, "class-weights", "the weight 0 still have a gradient"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_loss(function, changes, check, words):
    assert words in failures(loss(function, **changes))[check]


def schedule(build, **changes):
    return ScheduleDef("mine", "a schedule", params=NoParams, build=build, **changes)


def negative(params, total, per_epoch):
    return lambda step: 1 - 2 * step / total


def by_total(params, total, per_epoch):
    return lambda step: float("nan") if total == 1 else 1 - step / (total - 1)


def decaying(params, total, per_epoch):
    now = [1.0]

    def factor(step):
        now[0] *= 0.9
        return now[0]

    return factor


class Forgetful:
    """A plateau whose best figure is not stored."""

    def __init__(self):
        self.factor, self.best = 1.0, 9.0

    def __call__(self, step):
        return self.factor

    def after_epoch(self, loss, score):
        if loss > self.best:
            self.factor /= 2
        self.best = min(loss, self.best)

    def state_dict(self):
        return {"factor": self.factor}

    def load_state_dict(self, state):
        self.factor = state["factor"]


@pytest.mark.parametrize(
    ("build", "changes", "check", "words"),
    [
        (negative, {}, "factor", "return a number that is finite and not negative"),
        (by_total, {}, "factor", "mind trainings of a single step"),
        (lambda params, total, per_epoch: lambda step: 0.0, {}, "learns", "all factors are 0"),
        (decaying, {}, "repeatable", "compute it from the step alone"),
        (decaying, {"needs_validation": True}, "validation", "has no after_epoch()"),
        (lambda *_: Forgetful(), {"needs_validation": True}, "validation", "keep all of the state in state_dict()"),
    ],
)
def test_a_broken_schedule(build, changes, check, words):
    assert words in failures(schedule(build, **changes))[check]


def augmentation(apply, **changes):
    return AugmentationDef("mine", "an augmentation", params=NoParams, build=lambda params, task: apply, **changes)


def mixed(images, targets, generator, share=0.5):
    import torch
    from torch.nn import functional

    targets = targets if targets.dim() == 2 else functional.one_hot(targets, 10).float()
    other = torch.randperm(len(images), generator=generator)
    return 0.5 * images + 0.5 * images[other], 0.5 * targets + share * targets[other]


def globally(images, targets, generator):
    import torch

    return images + 0.1 * torch.randn(images.shape), targets


def numpys(images, targets, generator):
    import numpy as np

    return images * float(np.random.rand()), targets


def cropped(images, targets, generator):
    import torch

    start = int(torch.randint(0, 2, (1,), generator=generator))
    return images[:, :, start : start + 4], targets


def inverted(images, targets, generator):
    import torch

    return images.neg_() if torch.rand((), generator=generator) < 0.5 else images, targets


def mixes_labels_alone(images, targets, generator):
    import torch
    from torch.nn import functional

    if targets.dim() == 2:
        targets = targets.argmax(1)
    rate = torch.rand((), generator=generator)
    return images * rate, functional.one_hot(targets, 11)[:, :10].float() * rate


@pytest.mark.parametrize(
    ("apply", "changes", "check", "words"),
    [
        (globally, {}, "generator", "it draws from the global random stream of torch; draw from the generator"),
        (numpys, {}, "generator", "it draws from the global random stream of numpy"),
        (cropped, {}, "images", "keep both, and let a transform change the shape"),
        (mixed, {}, "targets", "say soft_targets=True in its AugmentationDef"),
        (
            lambda i, t, g: mixed(i, t, g, share=0.4),
            {"soft_targets": True},
            "targets",
            "a row of the targets sums to 0.9 or has a negative entry; mix with shares that sum to 1",
        ),
        (inverted, {}, "inputs-untouched", "work on a copy"),
        (lambda i, t, g: (i.flip(3), t), {}, "random", "what draws nothing is a transform"),
        (mixes_labels_alone, {"soft_targets": True}, "mixed-before", "or their rows do not sum to 1"),
        (lambda i, t, g: i, {}, "images", "it returned Tensor; return two tensors: images, targets"),
    ],
)
def test_a_broken_augmentation(apply, changes, check, words):
    assert words in failures(augmentation(apply, **changes))[check]


def test_a_sound_augmentation_passes():
    assert failures(augmentation(mixed, soft_targets=True)) == {}


def optimizer(build, **changes):
    return OptimizerDef("mine", "an optimizer", params=RateParams, build=build, **changes)


def descent(base=None, **methods):
    """An optimizer made of SGD with other methods."""

    def build(params, groups):
        import torch

        kind = type("Descent", (base() if base else torch.optim.SGD,), methods)
        return kind(groups, lr=params.lr)

    return build


def uphill(self, closure=None):
    for group in self.param_groups:
        for p in group["params"]:
            p.data.add_(p.grad, alpha=group["lr"])


def fixed_rate(self, closure=None):
    for group in self.param_groups:
        for p in group["params"]:
            p.data.sub_(p.grad, alpha=0.1)


def counted(self, closure=None):
    self.calls = getattr(self, "calls", 0) + 1
    for group in self.param_groups:
        for p in group["params"]:
            p.data.sub_(p.grad, alpha=group["lr"] / self.calls)


def odd_state(self, closure=None):
    for group in self.param_groups:
        group["history"] = {1, 2}
        for p in group["params"]:
            p.data.sub_(p.grad, alpha=group["lr"])


def no_closure(self):
    uphill(self)


@pytest.mark.parametrize(
    ("build", "changes", "check", "words"),
    [
        (lambda params, groups: None, {}, "builds", "build returned NoneType; return a torch.optim.Optimizer"),
        (lambda p, groups: descent()(p, groups[:1]), {}, "builds", "pass `groups` on as they are"),
        (descent(step=uphill), {}, "learns", "does it add what it should subtract?"),
        (descent(step=fixed_rate), {}, "rate", 'read group["lr"] at each step'),
        (descent(step=counted), {}, "resumed", "keep what it knows in self.state or self.param_groups"),
        (descent(step=odd_state), {}, "resumed", "its state cannot be stored"),
        (descent(step=no_closure), {"closure": True}, "closure", "let step take the closure"),
        (descent(step=lambda self, closure: uphill(self)), {}, "closure", "say closure=True in its OptimizerDef"),
        (descent(train=lambda self: None), {}, "modes", "it has one of train() and eval(), and not the other"),
    ],
)
def test_a_broken_optimizer(build, changes, check, words):
    assert words in failures(optimizer(build, **changes))[check]


def test_a_sound_optimizer_passes():
    assert failures(optimizer(descent())) == {}
    assert failures(replace(optimizer(descent()), closure=True)) == {}
