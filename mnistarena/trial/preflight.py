"""A torch module tried on a few images before it is trained: ordinary mistakes, each in a sentence of our own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mnistarena.engine.backbone import to_training
from mnistarena.engine.batches import Batches
from mnistarena.engine.prediction import looks_like_probabilities, main_output
from mnistarena.engine.step import autocast
from mnistarena.engine.unchanged import unchanged
from mnistarena.errors import TrialError, first_line
from mnistarena.spec.schema import Training
from mnistarena.trial.context import TrialContext
from mnistarena.trial.model import trains_itself

SAMPLE = 8
"""Images on which a model is tried."""

OF_LOSS = {"loss", "label_smoothing"}
"""Settings that a model's own loss takes the place of."""


def preflight(context: TrialContext, model: nn.Module, *, started: bool = False) -> None:
    """Raise `TrialError` where a model cannot be trained as it is, before time is spent on it.

    The model stays as it was. What is only odd, such as answers that are random, is noted. A model that trains itself
    is not tried: it may have nothing to answer with before its training; nor one with `on_start`, unless that is done,
    `started`.
    """
    if trains_itself(model):
        return
    _require_all_settings(context, model)
    if hasattr(model, "on_start") and not started:
        return
    images = context.array("train_images")[:SAMPLE]
    batch, _ = next(Batches(images, None, chain=context.chain, device=context.device, keep=False).in_order())
    with unchanged(model, context.device), autocast(context.recipe, context.device):
        _evaluate(context, model, batch)
        if not hasattr(model, "training_loss"):
            _train(context, model, batch)


def _require_all_settings(context: TrialContext, model: nn.Module) -> None:
    """Raise `TrialError` where `uses` leaves out a setting that the engine's training has a use for."""
    own_loss = hasattr(model, "training_loss")
    ignored = OF_LOSS if own_loss else set()
    if own_loss and context.definition.uses is None:
        context.note(
            f"it minimises its own training_loss: {', '.join(sorted(OF_LOSS))} of [training] have no part in it"
        )
    missing = set(Training.model_fields) - {"time_limit", *ignored, *(context.definition.uses or Training.model_fields)}
    if missing:
        raise TrialError(
            f"uses in its ModelDef leaves out {', '.join(sorted(missing))}, but the engine trains it by all of "
            "[training]; leave uses out, or give the module fit(training)"
        )


@torch.no_grad()
def _evaluate(context: TrialContext, model: nn.Module, batch: torch.Tensor) -> None:
    """The outputs in evaluation mode: their type, shape and values, and whether they are the same twice."""
    model.eval()
    first, second = (_checked(context, model(batch), len(batch)) for _ in range(2))
    if not bool(first.isfinite().all()):
        raise TrialError(
            f"forward returned values that are not finite for {SAMPLE} training images, before any training; look at "
            "the model's initialisation and at the transforms"
        )
    if (context.output or "logits") == "logits" and looks_like_probabilities(first.float()):
        raise TrialError(
            "forward returned what look like probabilities already (rows that sum to 1), and the softmax would be "
            'taken of them once more: return logits, or say output = "probabilities" in the ModelDef'
        )
    if not torch.equal(first, second):
        context.note(
            "its answers are random: the same images give other outputs a second time, in evaluation mode; is there a "
            "dropout that is always on? (functional.dropout wants training=self.training)"
        )


def _train(context: TrialContext, model: nn.Module, batch: torch.Tensor) -> None:
    """The outputs in training mode; of a single image too, where an epoch ends with a batch of one."""
    recipe = context.recipe
    to_training(model)
    _checked(context, model(batch), len(batch))
    size = recipe.batch_size * recipe.accumulate
    n = len(context.array("train_labels"))
    if n % size == 1 and not recipe.drop_last:
        try:
            model(batch[:1])
        except (ValueError, RuntimeError) as problem:
            raise TrialError(
                f"each epoch would end with a batch of one image ({n} images, {size} a step), which the model cannot "
                f"be trained on: {first_line(problem)} Set drop_last = true, or another batch_size"
            ) from problem


def _checked(context: TrialContext, returned: Any, n: int) -> torch.Tensor:
    """The output that predicts; raises `TrialError` where it is no tensor, or of another shape than is wanted."""
    found = main_output(returned)
    classes, kind = context.chain.task.n_classes, (context.output or "logits").replace("_", "-")
    wanted = (n,) if kind == "labels" else (n, classes)
    if isinstance(found, torch.Tensor) and found.shape == wanted:
        return found
    if not isinstance(found, torch.Tensor):
        remedy = f"return a tensor of {kind} {wanted}, or an object with .logits"
        raise TrialError(f"forward returned {type(found).__name__}: {remedy}")
    shape = tuple(found.shape)
    if kind != "labels" and shape in ((n,), (n, 1)) and classes == 2:
        why = "one logit for two classes: return two, as torch.cat([-z, z], 1) of a column z does"
    elif kind != "labels" and found.dim() == 2 and shape[0] == n:
        why = f"{shape[1]:,} {kind} for {classes} classes: make the last layer of task.n_classes outputs"
    elif found.dim() == 4 and shape[0] == n:
        why = "a map, not a vector: pool and flatten it before the last layer"
    elif shape[:1] != (n,):
        why = "the first dimension must be the images'; does a view or a flatten mix images?"
    else:
        why = "one row an image is wanted"
    raise TrialError(f"forward returned {shape} for {n} images, wanted {wanted}: {why}")
