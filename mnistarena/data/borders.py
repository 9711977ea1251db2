"""The outermost pixels of images: what tells dark ink on white paper from its negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 10_000
"""So many training images, evenly spaced, tell what borders are like."""
NEARER = 0.2
"""A picture is taken for a negative where its inverted border is nearer to the training images' by this share."""


def border_brightness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean brightness of the outermost pixels of each image of `(n, C, H, W)`, 0 (black) to 1 (white): `(n,)`."""
    edges = (images[:, :, 0], images[:, :, -1], images[:, :, 1:-1, 0], images[:, :, 1:-1, -1])
    total = sum(edge.sum(axis=(1, 2), dtype=np.int64) for edge in edges)
    return np.asarray(total / (255 * sum(edge[0].size for edge in edges)))


@dataclass(frozen=True)
class Borders:
    """Brightness of the borders of training images: the values that 5 %, 50 % and 95 % of them stay below."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Borders:
        """Those of images `(n, C, H, W)`."""
        found = border_brightness(images[:: max(1, -(-len(images) // MOST))])
        low, median, high = (round(float(value), 4) for value in np.quantile(found, (0.05, 0.5, 0.95)))
        return cls(low, median, high)

    @classmethod
    def read(cls, stored: Sequence[float] | None) -> Borders | None:
        """Those that a plan holds; None where it holds none."""
        return None if stored is None else cls(*stored)

    def negative(self, border: float) -> bool:
        """Whether an image with this border looks like the negative of a training image."""
        unlike = not self.low <= border <= self.high
        return unlike and abs(border - self.median) > abs(1 - border - self.median) + NEARER
