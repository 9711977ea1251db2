"""The loss that a training minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from mnistarena.engine.prediction import loss_input
from mnistarena.errors import TrialError
from mnistarena.plugin.predictions import Output
from mnistarena.spec.schema import Training

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Images `(N, C, H, W)` and labels `(N,)` to a scalar."""


def loss_function(model: nn.Module, recipe: Training, output: Output = "logits") -> Loss:
    """What is minimised: the model's own `training_loss(images, labels)`, else the recipe's on its main output.

    Log-probabilities and the logarithm of probabilities are used like logits; scores as they are. Raises `TrialError`
    where the model predicts classes only, from which nothing can be learnt, and has no loss of its own.
    """
    own = getattr(model, "training_loss", None)
    if own is not None:
        return cast(Loss, own)
    if output == "labels":
        raise TrialError(
            'a module with output = "labels" needs a loss of its own: give it training_loss(images, labels)'
        )

    def logits_of(images: torch.Tensor) -> torch.Tensor:
        return loss_input(model(images), output)

    if recipe.loss == "multi-margin":
        return lambda images, labels: functional.multi_margin_loss(logits_of(images), labels)
    if recipe.loss == "brier":

        def brier(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            probabilities = logits_of(images).softmax(1)
            wanted = functional.one_hot(labels, probabilities.shape[1])
            return (probabilities - wanted).square().sum(1).mean()

        return brier
    smoothing = recipe.label_smoothing
    return lambda images, labels: functional.cross_entropy(logits_of(images), labels, label_smoothing=smoothing)
