"""Boxes: where an image's ink is, and how well two boxes agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

INK = 0.3
"""Ink is what is brighter than this share of the way from an image's darkest to its brightest pixel."""


def ink_boxes(images: torch.Tensor) -> torch.Tensor:
    """The extent of the ink of images `(N, C, H, W)`: left, top, right, bottom in pixels, `(N, 4)`.

    The scale of the values does not matter. In an image of one brightness, the box is the whole image.
    """
    import torch

    brightness = images.float().amax(1)
    least, most = brightness.amin((1, 2), keepdim=True), brightness.amax((1, 2), keepdim=True)
    ink = brightness >= least + INK * (most - least)
    sides = []
    for along in (2, 1):  # columns, then rows
        taken = ink.any(3 - along)
        places = torch.arange(taken.shape[1], device=images.device)
        first = torch.where(taken, places, taken.shape[1]).amin(1)
        last = torch.where(taken, places, -1).amax(1)
        sides.append((first, last + 1))
    (left, right), (top, bottom) = sides
    return torch.stack([left, top, right, bottom], 1).float()


def intersection_over_union(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """The common area of two boxes over the area of both together (Jaccard), for each row of boxes `(n, 4)`.

    It is 0 where a box is empty.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = sides.clip(min=0).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).clip(min=0).prod(axis=1) for box in (a, b)]
    union = areas[0] + areas[1] - common
    return np.divide(common, union, out=np.zeros(len(a)), where=union > 0)
