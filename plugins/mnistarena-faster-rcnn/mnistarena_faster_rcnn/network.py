"""The network of `faster-rcnn`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class SmallNetwork(nn.Module):
    """Two 3 × 3 convolutions, each pooled by 2, one hidden linear layer."""

    def __init__(self, image_shape: tuple[int, int, int], width: int, hidden: int, n_classes: int) -> None:
        super().__init__()
        depth, height, breadth = image_shape
        self.first = nn.Conv2d(depth, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.hidden = nn.Linear(2 * width * (height // 4) * (breadth // 4), hidden)
        self.output = nn.Linear(hidden, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images `(N, C, H, W)` to logits `(N, n_classes)`."""
        # ReLU and max-pooling can be exchanged: pooling first gives the same result with a quarter of the ReLUs.
        features = functional.relu(functional.max_pool2d(self.first(images), 2))
        features = functional.relu(functional.max_pool2d(self.second(features), 2)).flatten(1)
        return self.output(functional.relu(self.hidden(features)))
