"""The network of `cnn`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from mnistarena_cnn import pooled

if TYPE_CHECKING:
    from mnistarena_cnn import CnnParams


class Cnn(nn.Module):
    """Convolutions, each pooled by 2, then linear layers; ReLU in between."""

    def __init__(self, image_shape: tuple[int, int, int], params: CnnParams, n_classes: int) -> None:
        super().__init__()
        depth, *sides = image_shape
        padded, channels = params.padding == "same", params.channels
        height, width = pooled(sides, params.kernels, padded)
        # Batch normalisation has a bias of its own.
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel, padding=kernel // 2 if padded else 0, bias=not params.batch_norm)
            for (i, o), kernel in zip(pairwise([depth, *channels]), params.kernels, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) if params.batch_norm else nn.Identity() for o in channels)
        sizes = [channels[-1] * height * width, *params.hidden, n_classes]
        self.linears = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images `(N, C, H, W)` to logits `(N, n_classes)`."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            # ReLU and max-pooling can be exchanged: pooling first gives the same result with a quarter of the ReLUs.
            images = functional.relu(norm(functional.max_pool2d(convolution(images), 2)))
        features = images.flatten(1)
        for linear in self.linears[:-1]:
            features = functional.relu(linear(features))
        return self.linears[-1](features)
