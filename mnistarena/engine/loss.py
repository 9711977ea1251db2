"""The loss that a training minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from mnistarena.spec.schema import Training

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Images `(N, C, H, W)` and labels `(N,)` to a scalar."""


def loss_function(model: nn.Module, recipe: Training) -> Loss:
    """What is minimised: the model's own `training_loss(images, labels)`, else the recipe's on its logits."""
    own = getattr(model, "training_loss", None)
    if own is not None:
        return cast(Loss, own)
    if recipe.loss == "multi-margin":
        return lambda images, labels: functional.multi_margin_loss(model(images), labels)
    if recipe.loss == "brier":

        def brier(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            probabilities = model(images).softmax(1)
            wanted = functional.one_hot(labels, probabilities.shape[1])
            return (probabilities - wanted).square().sum(1).mean()

        return brier
    smoothing = recipe.label_smoothing
    return lambda images, labels: functional.cross_entropy(model(images), labels, label_smoothing=smoothing)
