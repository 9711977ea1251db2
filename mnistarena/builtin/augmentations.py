"""The augmentations that come with mnistarena: functions of a training batch and its labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena.plugin.components import Params, Task
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.training import AugmentationDef

if TYPE_CHECKING:
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor]
    Augment = Callable[[torch.Tensor, torch.Tensor, torch.Generator], Batch]


class MixParams(Params):
    """Parameters of what mixes pairs of images."""

    alpha: float = Field(1.0, gt=0, le=100, description="both parameters of the Beta distribution of the share")
    probability: float = Field(1.0, gt=0, le=1, description="of a batch to be mixed at all")


def soft(targets: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Targets as float `(N, n_classes)`."""
    from torch.nn import functional

    return targets if targets.dim() == 2 else functional.one_hot(targets, n_classes).float()


def uniform(generator: torch.Generator) -> float:
    """A number drawn from [0, 1)."""
    import torch

    return torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).item()


def share(params: MixParams, generator: torch.Generator) -> float | None:
    """What an image keeps of itself, from Beta(alpha, alpha) by its inverse; None where this batch is not mixed."""
    from scipy.special import betaincinv

    drawn, mixed = uniform(generator), uniform(generator)
    return float(betaincinv(params.alpha, params.alpha, drawn)) if mixed < params.probability else None


def mixup(params: MixParams, task: Task) -> Augment:
    """Each image and its target mixed with another's of the batch, by one share (Zhang et al. 2018)."""
    import torch

    def apply(images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Batch:
        targets, kept = soft(targets, task.n_classes), share(params, generator)
        if kept is None:
            return images, targets
        other = torch.randperm(len(images), generator=generator, device=generator.device)
        return kept * images + (1 - kept) * images[other], kept * targets + (1 - kept) * targets[other]

    return apply


def cutmix(params: MixParams, task: Task) -> Augment:
    """A rectangle of another image pasted into each, and targets mixed by its area (Yun et al. 2019)."""
    import torch

    def apply(images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator) -> Batch:
        targets, kept = soft(targets, task.n_classes), share(params, generator)
        if kept is None:
            return images, targets
        height, width = images.shape[2:]
        half = math.sqrt(1 - kept) / 2
        y, x = uniform(generator) * height, uniform(generator) * width
        top, bottom = (min(max(round(y + side * half * height), 0), height) for side in (-1, 1))
        left, right = (min(max(round(x + side * half * width), 0), width) for side in (-1, 1))
        other = torch.randperm(len(images), generator=generator, device=generator.device)
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (height * width)
        return mixed, kept * targets + (1 - kept) * targets[other]

    return apply


@hookimpl
def arena_augmentations() -> Iterable[AugmentationDef]:
    """The built-in augmentations."""
    return [
        AugmentationDef(
            "mixup",
            "images and targets mixed in pairs (Zhang et al. 2018)",
            params=MixParams,
            build=mixup,
            soft_targets=True,
        ),
        AugmentationDef(
            "cutmix",
            "a rectangle of another image, targets mixed by its area (Yun et al. 2019)",
            params=MixParams,
            build=cutmix,
            soft_targets=True,
        ),
    ]
