"""The losses that come with mnistarena: functions of logits `(N, n_classes)` and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena.plugin.components import Params, Task
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.training import LossDef

if TYPE_CHECKING:
    import torch

    Loss = Callable[..., torch.Tensor]


class NoParams(Params):
    """No parameters."""


class CrossEntropyParams(Params):
    """Parameters of the cross-entropy."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target that all classes get alike")


class MultiMarginParams(Params):
    """Parameters of the margin loss."""

    margin: float = Field(1.0, gt=0, description="by how much the true class's logit is to exceed the others")


class FocalParams(Params):
    """Parameters of the focal loss."""

    gamma: float = Field(2.0, ge=0, description="how little well classified images count; 0: the cross-entropy")


def cross_entropy(params: CrossEntropyParams, task: Task) -> Loss:
    """The cross-entropy of the softmax, as torch has it."""
    from torch.nn import functional

    def loss(outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        return functional.cross_entropy(outputs, targets, weight=weights, label_smoothing=params.label_smoothing)

    return loss


def multi_margin(params: MultiMarginParams, task: Task) -> Loss:
    """The multi-class hinge loss of the logits."""
    from torch.nn import functional

    def loss(outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        return functional.multi_margin_loss(outputs, targets, margin=params.margin, weight=weights)

    return loss


def brier(params: NoParams, task: Task) -> Loss:
    """The sum of squares between probabilities and targets (Brier 1950)."""
    from torch.nn import functional

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        probabilities = outputs.softmax(1)
        soft = targets if targets.dim() == 2 else functional.one_hot(targets, probabilities.shape[1])
        return (probabilities - soft).square().sum(1).mean()

    return loss


def focal(params: FocalParams, task: Task) -> Loss:
    """`-(1 - p)^gamma log p` of the target's probability p (Lin et al. 2017); of soft targets, their mean of it."""

    def loss(outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        log = outputs.float().log_softmax(1)
        every = -((1 - log.exp()) ** params.gamma) * log
        if weights is not None:
            every = every * weights
        if targets.dim() == 2:
            return (every * targets).sum(1).mean()
        return every.gather(1, targets[:, None]).mean()

    return loss


@hookimpl
def arena_losses() -> Iterable[LossDef]:
    """The built-in losses."""
    return [
        LossDef(
            "cross-entropy",
            "minus the logarithm of the target's probability",
            params=CrossEntropyParams,
            build=cross_entropy,
            soft_targets=True,
            class_weights=True,
        ),
        LossDef(
            "multi-margin",
            "how far the true class's logit fails to exceed the others by a margin (Crammer and Singer 2001)",
            params=MultiMarginParams,
            build=multi_margin,
            class_weights=True,
        ),
        LossDef(
            "brier",
            "squared distance of the probabilities from the target (Brier 1950)",
            params=NoParams,
            build=brier,
            soft_targets=True,
        ),
        LossDef(
            "focal",
            "cross-entropy in which well classified images count little (Lin et al. 2017)",
            params=FocalParams,
            build=focal,
            soft_targets=True,
            class_weights=True,
        ),
    ]
