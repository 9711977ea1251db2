"""What a torch module promises; each function is the check of its name."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from mnistarena.components import Task
from mnistarena.errors import TrialError
from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.lessons import (
    BATCH,
    FEW_STEPS,
    answers,
    batches,
    close,
    difference,
    images_of,
    loss,
    recipe,
    train,
    trained as trained,
)
from mnistarena.text import few

if TYPE_CHECKING:
    from torch import nn

    from mnistarena.testing.undertest import ModelUnderTest


def answer_problem(model: nn.Module, task: Task) -> str | None:
    """What is wrong with the logits of two random images of a task, or None."""
    import torch

    found = answers(model, torch.rand(2, *task.image_shape, generator=torch.Generator().manual_seed(0)))
    if found.shape != (2, task.n_classes):
        return f"the output for 2 of them is {tuple(found.shape)}, not {(2, task.n_classes)}"
    return None if bool(found.isfinite().all()) else "the output is not finite"


def output(subject: ModelUnderTest) -> None:
    """For one image and for several."""
    import torch

    from mnistarena import evaluation

    amp = torch.autocast("cpu", enabled=False)
    for n in (1, 2, 7):
        evaluation.predict(subject.model, batches(subject, n), subject.chain.task.n_classes, amp)


def logits(subject: ModelUnderTest) -> None:
    """No softmax has been taken."""
    import torch

    logits = answers(subject.model, images_of(subject, 7))
    if float(logits.min()) >= 0 and torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-5):
        raise Nonconformity(
            "the outputs are probabilities: none is negative and each row sums to 1; return logits, the loss and the "
            "evaluation take a softmax themselves"
        )


def learns(subject: ModelUnderTest) -> None:
    """The engine's training, with Adam, on a few digits."""
    before = loss(subject, subject.model)
    try:
        after = loss(subject, subject.training)
    except TrialError as problem:
        raise Nonconformity(f"{problem} (learning_rate={subject.learning_rate}, steps={subject.steps})") from problem
    if not math.isfinite(after) or before - after < 0.01 * abs(before):
        raise Nonconformity(
            f"{subject.steps} steps with Adam at {subject.learning_rate} took the loss on {subject.n_images} digits "
            f"from {before:.4f} to {after:.4f}; does forward detach something, or training_loss have the wrong sign? "
            "If the model only needs longer: steps=, learning_rate="
        )
    if hasattr(subject.model, "training_loss"):
        _answers_improve(subject)


def _answers_improve(subject: ModelUnderTest) -> None:
    """A loss of the model's own may fall while the answers get worse: then it has the wrong sign, or another aim."""
    import torch
    from torch.nn import functional

    images, labels = images_of(subject, 64), torch.from_numpy(subject.digits[1][:64])
    models = subject.model, subject.training
    before, after = (functional.cross_entropy(answers(model, images), labels).item() for model in models)
    if after > 1.2 * before:
        raise Nonconformity(
            f"training_loss falls, but the cross-entropy of the answers rises from {before:.4f} to {after:.4f}; has "
            "training_loss the wrong sign, or does it train something else than forward returns?"
        )


def gradients(subject: ModelUnderTest) -> None:
    """In a few steps: a gate that starts at zero lets none through in the first."""
    from mnistarena.backbone import to_training
    from mnistarena.training import loss_function, make_optimizer

    model, split = copy.deepcopy(subject.model), batches(subject)
    optimizer = make_optimizer(model, recipe(subject, FEW_STEPS), split.device)
    own = loss_function(model, recipe(subject, FEW_STEPS))
    missing = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    to_training(model)
    for _, (images, labels) in zip(range(FEW_STEPS), split.epoch(BATCH, 0, 0), strict=False):
        optimizer.zero_grad()
        own(images, labels).backward()
        optimizer.step()
        named = model.named_parameters()
        missing -= {name for name, p in named if p.grad is not None and bool(p.grad.abs().sum() > 0)}
    if missing:
        names = [name for name, _ in model.named_parameters() if name in missing]
        raise Nonconformity(
            f"no gradient reaches {few(names)} in {FEW_STEPS} steps; use them in forward without detach, or set "
            "requires_grad_(False)"
        )


def same_seed(subject: ModelUnderTest) -> None:
    """Built and trained twice."""
    images = images_of(subject, 8)
    models = copy.deepcopy(subject.model), subject.build()
    one, two = (answers(train(subject, model, FEW_STEPS), images) for model in models)
    if not one.equal(two):
        raise Nonconformity(
            f"built and trained twice with one seed, outputs differ by up to {difference(one, two):.3g}; draw from the "
            "global generators of torch, numpy or random, which the engine seeds, and never from the clock"
        )


def deterministic_as_said(subject: ModelUnderTest) -> None:
    """Trained with another seed."""
    if not subject.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    images = images_of(subject, 8)
    one, two = (answers(train(subject, subject.build(seed), FEW_STEPS, seed), images) for seed in (0, 1))
    if not one.equal(two):
        raise Nonconformity(
            f"deterministic=True, but another seed changes outputs by up to {difference(one, two):.3g}; leave it out"
        )


def evaluation_repeats(subject: ModelUnderTest) -> None:
    """In evaluation mode nothing is drawn, and nothing is changed."""
    images = images_of(subject, 8)
    one, two = answers(subject.trained, images), answers(subject.trained, images)
    if not one.equal(two):
        raise Nonconformity(
            f"in evaluation mode the same images gave other outputs, by up to {difference(one, two):.3g}; use "
            "nn.Dropout, or ask self.training before drawing anything"
        )


def evaluation_alone(subject: ModelUnderTest) -> None:
    """A batch of eight, and eight of one."""
    import torch

    images = images_of(subject, 8)
    together = answers(subject.trained, images)
    if not together.equal(answers(subject.trained, images)):
        raise NotApplicable('outputs change by themselves: see "evaluation-repeats"')
    alone = torch.cat([answers(subject.trained, image[None]) for image in images])
    if not close(together, alone):
        raise Nonconformity(
            f"alone, an image gets other outputs than in a batch of 8, by up to {difference(together, alone):.3g}; in "
            "evaluation mode take no statistics over the batch"
        )


def state(subject: ModelUnderTest) -> None:
    """The trained state, through a safetensors file, into a model of another seed."""
    from safetensors.torch import load, save

    from mnistarena.module import untied

    images, model = images_of(subject, 8), subject.trained
    stored = load(save(untied({name: value.contiguous() for name, value in model.state_dict().items()})))
    twin = subject.build(seed=1)
    try:
        twin.load_state_dict(stored)
    except RuntimeError as problem:
        raise Nonconformity(
            f"its own state dict does not fit a new one: {str(problem).splitlines()[-1].strip()}; create every "
            "parameter and buffer in __init__"
        ) from problem
    one, two = answers(model, images), answers(twin, images)
    if not one.equal(answers(model, images)):
        raise NotApplicable('outputs change by themselves: see "evaluation-repeats"')
    if not close(one, two):
        raise Nonconformity(
            f"a new one with the same state dict gives other outputs, by up to {difference(one, two):.3g}; keep "
            "whatever initialisation draws or training changes in parameters or buffers (register_buffer)"
        )


def input_untouched(subject: ModelUnderTest) -> None:
    """In training and in evaluation."""
    import torch

    from mnistarena.backbone import to_training
    from mnistarena.training import loss_function

    split, model = batches(subject, 8), copy.deepcopy(subject.model)
    images = images_of(subject, 8).clone()
    before = images.clone()
    to_training(model)
    assert split.labels is not None
    loss_function(model, recipe(subject, 1))(images, split.labels)
    where = "training" if not images.equal(before) else ""
    model.eval()
    with torch.inference_mode():
        model(images)
    if not images.equal(before):
        raise Nonconformity(
            f"{int((images != before).sum())} of {images.numel()} values of the images were changed in "
            f"{where or 'evaluation'}; no in-place operation on the input, such as nn.ReLU(inplace=True) as first layer"
        )


def backbone_and_head(subject: ModelUnderTest) -> None:
    """What lets the engine compute the features of a frozen backbone once."""
    import torch

    from mnistarena.backbone import frozen

    parts = frozen(subject.model)
    if parts is None:
        raise NotApplicable("it has no frozen backbone")
    images = images_of(subject, 8)
    whole = answers(subject.model, images)
    with torch.inference_mode():
        found = parts[1](parts[0](images))
    if found.shape != whole.shape or not close(whole, found):
        raise Nonconformity(
            "forward(x) is not head(backbone(x)), but the engine trains the head alone on the backbone's outputs; name "
            "them otherwise, or make it true"
        )
