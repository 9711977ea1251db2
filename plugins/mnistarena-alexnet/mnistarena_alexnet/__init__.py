"""`alexnet`: torchvision's AlexNet, its last layer replaced, fine-tuned."""

from __future__ import annotations

from collections.abc import Iterable

from mnistarena import ModelDef, hookimpl
from mnistarena.pretrained import fine_tuned

LEAST_SIZE = 63
"""Pixels a side at least: its strided convolution and three poolings leave nothing of a smaller image."""


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`alexnet`."""
    return [
        fine_tuned(
            "alexnet",
            "torchvision's AlexNet, fine-tuned (Krizhevsky 2014)",
            enum="AlexNet_Weights.IMAGENET1K_V1",
            head="classifier.6",
            least_size=LEAST_SIZE,
        )
    ]
