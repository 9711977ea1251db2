"""`vgg16`: torchvision's VGG16, its last layer replaced, fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable

from mnistarena import ModelDef, hookimpl
from mnistarena.pretrained import fine_tuned

LEAST_SIZE = 32
"""Pixels a side at least: five poolings halve 32 pixels to one."""


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`vgg16`."""
    return [
        fine_tuned(
            "vgg16",
            "torchvision's VGG16, fine-tuned (Simonyan and Zisserman 2014)",
            enum="VGG16_Weights.IMAGENET1K_V1",
            head="classifier.6",
            least_size=LEAST_SIZE,
        )
    ]
