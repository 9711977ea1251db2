"""The loss that a training minimises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import nn

from mnistarena.engine.own_methods import StepContext, loss_takes_context
from mnistarena.engine.parts import part
from mnistarena.engine.prediction import loss_input
from mnistarena.errors import TrialError
from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.registry import Registry, built_in
from mnistarena.spec.schema import Training

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Images `(N, C, H, W)` and targets, int64 `(N,)` or float `(N, n_classes)`, to a scalar."""


def loss_function(
    model: nn.Module,
    recipe: Training,
    task: Task,
    *,
    registry: Registry | None = None,
    labels: torch.Tensor | None = None,
    output: Output = "logits",
    context: StepContext | None = None,
) -> Loss:
    """What is minimised: the model's own `training_loss(images, labels)`, else the recipe's on its main output.

    The former gets `context`, too, where it has a parameter for it. `labels` are those of the training split, which
    balanced class weights are computed from. Log-probabilities and the logarithm of probabilities are used like logits;
    scores as they are. Raises `TrialError` where the recipe asks for what the model's own loss does not do, and where a
    model without one predicts classes only, from which nothing can be learnt.
    """
    registry = registry or built_in()
    own = getattr(model, "training_loss", None)
    if own is not None:
        _refuse_what_it_lacks(recipe, registry)
        return cast(Loss, (lambda i, t: own(i, t, context)) if loss_takes_context(model) else own)
    if output == "labels":
        raise TrialError(
            'a module with output = "labels" needs a loss of its own: give it training_loss(images, labels)'
        )
    definition, params = part(registry, "loss", recipe.loss_entry)
    of_outputs = definition.build(params, task)
    if recipe.class_weights is not None and labels is not None:
        of_outputs = partial(of_outputs, weights=class_weights(recipe, labels, task.n_classes))
    return lambda images, targets: of_outputs(loss_input(model(images), output), targets)


def class_weights(recipe: Training, labels: torch.Tensor, n_classes: int) -> torch.Tensor:
    """What the loss of an image of each class counts, float32 `(n_classes,)`; 0 for a class without images."""
    if isinstance(recipe.class_weights, list):
        return torch.tensor(recipe.class_weights, dtype=torch.float32, device=labels.device)
    counts = labels.bincount(minlength=n_classes)
    return torch.where(counts > 0, len(labels) / (n_classes * counts.clamp(min=1)), 0.0).float()


def _refuse_what_it_lacks(recipe: Training, registry: Registry) -> None:
    mixing = [
        e.name for e in recipe.augmentation_entries if registry.get("augmentation", e.name).definition.soft_targets
    ]
    lacking = ["class_weights"] if recipe.class_weights is not None else []
    lacking += [f'the augmentation "{name}", which mixes classes' for name in mixing]
    if lacking:
        raise TrialError(
            f"the model has its own training_loss, which knows nothing of {' and '.join(lacking)}; leave that out of "
            "this model's training"
        )
