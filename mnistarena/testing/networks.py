"""The checks of a torch module; each function is the check of its name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mnistarena.errors import TrialError
from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output
from mnistarena.testing import repetition
from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.family import Family
from mnistarena.testing.resumption import resumes
from mnistarena.testing.short_training import (
    BATCH,
    FEW_STEPS,
    answers,
    batches,
    briefly_trained,
    close,
    difference,
    images_of,
    is_head_of_backbone,
    loss,
    loss_of,
    recipe,
)
from mnistarena.text import few

if TYPE_CHECKING:
    from torch import nn

    from mnistarena.testing.model_under_test import ModelUnderTest


def answer_problem(network: nn.Module, task: Task, output: Output) -> str | None:
    """What is wrong with the outputs of two random images of a task, or None."""
    import torch

    found = answers(network, torch.rand(2, *task.image_shape, generator=torch.Generator().manual_seed(0)))
    wanted = (2,) if output == "labels" else (2, task.n_classes)
    if found.shape != wanted:
        return f"the output for 2 of them is {tuple(found.shape)}, not {wanted}"
    return None if bool(found.isfinite().all()) else "the output is not finite"


def output(model: ModelUnderTest) -> None:
    """Outputs have the right shape, are finite, and are what they are called, for one image and for several."""
    require_outputs(model, model.built)


def require_outputs(model: ModelUnderTest, network: nn.Module) -> None:
    """Raises `TrialError` where the outputs of a network are not what the engine takes."""
    import torch

    from mnistarena.engine import prediction

    amp, n_classes, kind = torch.autocast("cpu", enabled=False), model.chain.task.n_classes, model.output
    for n in (1, 2, 7):
        found, _ = prediction.predict(network, batches(model, n), n_classes, amp, output=kind)
        prediction.answers(found, kind, n_classes)


def logits(model: ModelUnderTest) -> None:
    """Outputs that are called logits are not probabilities."""
    require_logits(model, model.built)


def require_logits(model: ModelUnderTest, network: nn.Module) -> None:
    """Raises `Nonconformity` where outputs that are called logits look like probabilities."""
    from mnistarena.engine.prediction import looks_like_probabilities

    if model.output != "logits":
        raise NotApplicable(f'it says output = "{model.output}"')
    if looks_like_probabilities(answers(network, images_of(model, 7))):
        raise Nonconformity(
            "the outputs are probabilities: none is negative and each row sums to 1; return logits, the loss and the "
            'evaluation take a softmax themselves, or say output="probabilities"'
        )


def learns(model: ModelUnderTest) -> None:
    """The engine's training, with Adam, on a few digits, lowers the loss by at least one per cent."""
    before = loss(model, model.built)
    try:
        after = loss(model, model.trained_or_raise)
    except TrialError as problem:
        raise Nonconformity(f"{problem} (learning_rate={model.learning_rate}, steps={model.steps})") from problem
    if not math.isfinite(after) or before - after < 0.01 * abs(before):
        raise Nonconformity(
            f"{model.steps} steps with Adam at {model.learning_rate} took the loss on {model.n_images} digits "
            f"from {before:.4f} to {after:.4f}; does forward detach something, or training_loss have the wrong sign? "
            "If the model only needs longer: steps=, learning_rate="
        )
    _answers_improve(model)


def _answers_improve(model: ModelUnderTest) -> None:
    """Raises `Nonconformity` where the loss falls in training, while the cross-entropy of the answers rises."""
    import torch
    from torch.nn import functional

    from mnistarena.engine.prediction import as_logits

    images, labels = images_of(model, 64), torch.from_numpy(model.digits[1][:64])
    if model.output in ("scores", "labels"):
        return
    both = model.built, model.trained_or_raise
    before, after = (
        functional.cross_entropy(as_logits(answers(network, images), model.output), labels).item() for network in both
    )
    if after > 1.2 * before:
        remedy = "does forward do something else in evaluation mode (self.training) than in training?"
        if hasattr(model.built, "training_loss"):
            remedy = "has training_loss the wrong sign, or does it train something else than forward returns?"
        raise Nonconformity(
            f"the loss falls in training, but the cross-entropy of the answers in evaluation mode rises from "
            f"{before:.4f} to {after:.4f}; {remedy}"
        )


def gradients(model: ModelUnderTest) -> None:
    """Every trainable parameter gets a gradient within the short training: some only in its second stage."""
    from mnistarena.engine.backbone import to_training
    from mnistarena.engine.optimizer import make_optimizer

    network, split = model.build(started=True), batches(model)
    optimizer = make_optimizer(network, recipe(model, FEW_STEPS), split.device)
    of_batch = loss_of(model, network, split)
    missing = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    to_training(network)
    steps = max(FEW_STEPS, model.steps)
    drawn = (batch for epoch in range(steps) for batch in split.epoch(BATCH, epoch, epoch))
    for _, (images, labels) in zip(range(steps), drawn, strict=False):
        if not missing:
            return
        optimizer.zero_grad()
        of_batch(images, labels).backward()
        optimizer.step()
        named = network.named_parameters()
        missing -= {name for name, p in named if p.grad is not None and bool(p.grad.abs().sum() > 0)}
    if missing:
        names = [name for name, _ in network.named_parameters() if name in missing]
        raise Nonconformity(
            f"no gradient reaches {few(names)} in {steps} steps; use them in forward without detach, or set "
            "requires_grad_(False)"
        )


def evaluation_alone(model: ModelUnderTest) -> None:
    """Eight images get the same outputs together and one at a time."""
    import torch

    images = images_of(model, 8)
    together = answers(model.trained, images)
    if not together.equal(answers(model.trained, images)):
        raise NotApplicable('outputs change by themselves: see "evaluation-repeats"')
    alone = torch.cat([answers(model.trained, image[None]) for image in images])
    if not close(together, alone):
        raise Nonconformity(
            f"alone, an image gets other outputs than in a batch of 8, by up to {difference(together, alone):.3g}; in "
            "evaluation mode take no statistics over the batch"
        )


def state(model: ModelUnderTest) -> None:
    """The trained state dict, stored as safetensors and loaded into a new network, gives the same outputs."""
    from safetensors.torch import load, save

    from mnistarena.engine.model_state import load_stored, make_room, stored_state
    from mnistarena.trial.model import makes_buffers
    from mnistarena.trial.network import untied

    images, network = images_of(model, 8), model.trained
    stored = load(save(untied({name: value.contiguous() for name, value in stored_state(network).items()})))
    twin = model.build(seed=1)
    if makes_buffers(twin):
        make_room(twin, stored)
    try:
        load_stored(twin, stored)
    except RuntimeError as problem:
        raise Nonconformity(
            f"its own state dict does not fit a new one: {str(problem).splitlines()[-1].strip()}; create every "
            "parameter and buffer in __init__"
        ) from problem
    one, two = answers(network, images), answers(twin, images)
    if not one.equal(answers(network, images)):
        raise NotApplicable('outputs change by themselves: see "evaluation-repeats"')
    if not close(one, two):
        raise Nonconformity(
            f"a new one with the same state dict gives other outputs, by up to {difference(one, two):.3g}; keep "
            "whatever initialisation draws or training changes in parameters or buffers (register_buffer)"
        )


def input_untouched(model: ModelUnderTest) -> None:
    """Neither the loss in training mode nor forward in evaluation mode changes the images."""
    import torch

    from mnistarena.engine.backbone import to_training

    split, network = batches(model, 8), model.build(started=True)
    images = images_of(model, 8).clone()
    before = images.clone()
    to_training(network)
    assert split.labels is not None
    loss_of(model, network, split)(images, split.labels)
    where = "training" if not images.equal(before) else ""
    network.eval()
    with torch.inference_mode():
        network(images)
    if not images.equal(before):
        raise Nonconformity(
            f"{int((images != before).sum())} of {images.numel()} values of the images were changed in "
            f"{where or 'evaluation'}; no in-place operation on the input, such as nn.ReLU(inplace=True) as first layer"
        )


def backbone_and_head(model: ModelUnderTest) -> None:
    """forward(x) equals head(backbone(x)): the engine then computes the features of a frozen backbone only once."""
    from mnistarena.engine.backbone import frozen_parts

    if frozen_parts(model.built) is None:
        raise NotApplicable("it has no frozen backbone")
    if not is_head_of_backbone(model):
        raise NotApplicable(
            "forward(x) is not head(backbone(x)), so the engine computes the backbone in each step, in evaluation mode"
        )


FAMILY = Family(
    "torch module",
    {
        "output": output,
        "logits": logits,
        "learns": learns,
        "gradients": gradients,
        "same-seed": repetition.same_seed,
        "deterministic-as-said": repetition.deterministic_as_said,
        "seed-matters": repetition.seed_matters,
        "evaluation-repeats": repetition.evaluation_repeats,
        "evaluation-alone": evaluation_alone,
        "state": state,
        "resumes": resumes,
        "input-untouched": input_untouched,
        "backbone-and-head": backbone_and_head,
    },
    train=briefly_trained,
    answer_problem=answer_problem,
)
