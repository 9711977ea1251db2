"""TrivialAugment (Müller and Hutter 2021), from torchvision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mnistarena.engine.adapters import per_image
from mnistarena.plugin.components import Params, Shape, Task, TransformDef
from mnistarena.plugin.hooks import hookimpl

if TYPE_CHECKING:
    import torch


def trivial_augment(params: Params, task: Task) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    """One of 14 operations, and its strength, drawn for each image: the "wide" set, on uint8 values.

    Shifts are of up to 32 pixels whatever the image's size, as published.
    """
    from torchvision.transforms.v2 import TrivialAugmentWide

    return per_image(TrivialAugmentWide(), uint8=True)


def trivial_augment_shape(params: Params, shape: Shape) -> Shape:
    """Unchanged, of one channel or three."""
    if shape[0] not in (1, 3):
        raise ValueError(f"TrivialAugment takes images of 1 or 3 channels, these have {shape[0]}")
    return shape


@hookimpl
def arena_transforms() -> Iterable[TransformDef]:
    """The transform."""
    return [
        TransformDef(
            "trivial-augment",
            "one of 14 operations of a drawn strength, per image (Müller and Hutter 2021); before normalize",
            params=Params,
            build=trivial_augment,
            shape=trivial_augment_shape,
            random=True,
        )
    ]
