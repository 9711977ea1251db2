"""The checks of a torch module; each function is the check of its name."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from mnistarena.errors import TrialError
from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output
from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.family import Family
from mnistarena.testing.short_training import (
    BATCH,
    FEW_STEPS,
    answers,
    batches,
    briefly_trained,
    close,
    difference,
    images_of,
    loss,
    recipe,
    train,
)
from mnistarena.text import few

if TYPE_CHECKING:
    import torch
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
    import torch

    from mnistarena.engine import prediction

    amp, n_classes, kind = torch.autocast("cpu", enabled=False), model.chain.task.n_classes, model.output
    for n in (1, 2, 7):
        found, _ = prediction.predict(model.built, batches(model, n), n_classes, amp, output=kind)
        prediction.answers(found, kind, n_classes)


def logits(model: ModelUnderTest) -> None:
    """Outputs that are called logits are not probabilities."""
    from mnistarena.engine.prediction import looks_like_probabilities

    if model.output != "logits":
        raise NotApplicable(f'it says output = "{model.output}"')
    if looks_like_probabilities(answers(model.built, images_of(model, 7))):
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
    if hasattr(model.built, "training_loss"):
        _answers_improve(model)


def _answers_improve(model: ModelUnderTest) -> None:
    """Raises `Nonconformity` where the model's own training_loss falls while the cross-entropy of its answers rises."""
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
        raise Nonconformity(
            f"training_loss falls, but the cross-entropy of the answers rises from {before:.4f} to {after:.4f}; has "
            "training_loss the wrong sign, or does it train something else than forward returns?"
        )


def gradients(model: ModelUnderTest) -> None:
    """Every trainable parameter gets a gradient within a few steps (a factor that starts at 0 gives none at first)."""
    from mnistarena.engine.backbone import to_training
    from mnistarena.engine.loss import loss_function
    from mnistarena.engine.optimizer import make_optimizer

    network, split = copy.deepcopy(model.built), batches(model)
    optimizer = make_optimizer(network, recipe(model, FEW_STEPS), split.device)
    loss_of = loss_function(network, recipe(model, FEW_STEPS), model.chain.task, output=model.output)
    missing = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    to_training(network)
    for _, (images, labels) in zip(range(FEW_STEPS), split.epoch(BATCH, 0, 0), strict=False):
        optimizer.zero_grad()
        loss_of(images, labels).backward()
        optimizer.step()
        named = network.named_parameters()
        missing -= {name for name, p in named if p.grad is not None and bool(p.grad.abs().sum() > 0)}
    if missing:
        names = [name for name, _ in network.named_parameters() if name in missing]
        raise Nonconformity(
            f"no gradient reaches {few(names)} in {FEW_STEPS} steps; use them in forward without detach, or set "
            "requires_grad_(False)"
        )


def same_seed(model: ModelUnderTest) -> None:
    """Two networks, built and trained with the same seed, give the same outputs."""
    images = images_of(model, 8)
    both = copy.deepcopy(model.built), model.build()
    one, two = (answers(train(model, network, FEW_STEPS), images) for network in both)
    if not one.equal(two):
        raise Nonconformity(
            f"built and trained twice with one seed, outputs differ by up to {difference(one, two):.3g}; draw from the "
            "global generators of torch, numpy or random, which the engine seeds, and never from the clock"
        )


def _with_two_seeds(model: ModelUnderTest) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of two networks, built and trained with two seeds."""
    images = images_of(model, 8)
    one, two = (answers(train(model, model.build(seed), FEW_STEPS, seed), images) for seed in (0, 1))
    return one, two


def deterministic_as_said(model: ModelUnderTest) -> None:
    """A network with `deterministic=True` gives the same outputs with another seed."""
    if not model.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    one, two = _with_two_seeds(model)
    if not one.equal(two):
        raise Nonconformity(
            f"deterministic=True, but another seed changes outputs by up to {difference(one, two):.3g}; leave it out"
        )


def seed_matters(model: ModelUnderTest) -> None:
    """A network without `deterministic=True` gives other outputs with another seed."""
    if model.definition.deterministic:
        raise NotApplicable("it says deterministic=True")
    if model.output == "labels":
        raise NotApplicable("labels of two different networks may be equal")
    one, two = _with_two_seeds(model)
    if one.equal(two):
        raise Nonconformity(
            "built and trained with two seeds, the outputs are the same bits, and a run counts such seeds as one; set "
            "no seed of your own, the engine seeds torch, numpy and random, or say deterministic=True"
        )


def evaluation_repeats(model: ModelUnderTest) -> None:
    """In evaluation mode the same images get the same outputs twice."""
    images = images_of(model, 8)
    one, two = answers(model.trained, images), answers(model.trained, images)
    if not one.equal(two):
        raise Nonconformity(
            f"in evaluation mode the same images gave other outputs, by up to {difference(one, two):.3g}; use "
            "nn.Dropout, or ask self.training before drawing anything"
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

    from mnistarena.trial.network import untied

    images, network = images_of(model, 8), model.trained
    stored = load(save(untied({name: value.contiguous() for name, value in network.state_dict().items()})))
    twin = model.build(seed=1)
    try:
        twin.load_state_dict(stored)
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
    from mnistarena.engine.loss import loss_function

    split, network = batches(model, 8), copy.deepcopy(model.built)
    images = images_of(model, 8).clone()
    before = images.clone()
    to_training(network)
    assert split.labels is not None
    loss_function(network, recipe(model, 1), model.chain.task, output=model.output)(images, split.labels)
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
    """forward(x) equals head(backbone(x)): the engine computes the features of a frozen backbone only once."""
    import torch

    from mnistarena.engine.backbone import frozen_parts

    parts = frozen_parts(model.built)
    if parts is None:
        raise NotApplicable("it has no frozen backbone")
    images = images_of(model, 8)
    whole = answers(model.built, images)
    with torch.inference_mode():
        found = parts[1](parts[0](images))
    if found.shape != whole.shape or not close(whole, found):
        raise Nonconformity(
            "forward(x) is not head(backbone(x)), but the engine trains the head alone on the backbone's outputs; give "
            "the two parts other names, or make them equal"
        )


FAMILY = Family(
    "torch module",
    {
        "output": output,
        "logits": logits,
        "learns": learns,
        "gradients": gradients,
        "same-seed": same_seed,
        "deterministic-as-said": deterministic_as_said,
        "seed-matters": seed_matters,
        "evaluation-repeats": evaluation_repeats,
        "evaluation-alone": evaluation_alone,
        "state": state,
        "input-untouched": input_untouched,
        "backbone-and-head": backbone_and_head,
    },
    train=briefly_trained,
    answer_problem=answer_problem,
)
