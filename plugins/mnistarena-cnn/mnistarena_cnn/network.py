"""The network of `cnn`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class Cnn(nn.Module):
    """Convolutions, each pooled by 2, then linear layers; ReLU in between."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        kernel_size: int,
        hidden: Sequence[int],
        n_classes: int,
    ) -> None:
        super().__init__()
        depth, height, width = image_shape
        for _ in channels:
            height, width = height // 2, width // 2
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel_size, padding=kernel_size // 2) for i, o in pairwise([depth, *channels])
        )
        sizes = [channels[-1] * height * width, *hidden, n_classes]
        self.linears = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images `(N, C, H, W)` to logits `(N, n_classes)`."""
        for convolution in self.convolutions:
            # ReLU and max commute: pooling first is the same mathematics on a quarter of the values.
            images = functional.relu(functional.max_pool2d(convolution(images), 2))
        features = images.flatten(1)
        for linear in self.linears[:-1]:
            features = functional.relu(linear(features))
        return self.linears[-1](features)
