"""Further views of the test images: blurred, rotated, partly hidden."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from mnistarena.engine.chain import Chain

PART = 1024
"""Images altered at once; fixed, since what a random transform draws depends on it."""

SIDE = 40
"""Height or width (pixels) that a small picture has at most."""


@torch.inference_mode()
def view_images(images: NDArray[np.uint8], chain: Chain, seed: int) -> NDArray[np.uint8]:
    """Images `(n, C, H, W)` after every transform of the chain, the random ones too; values are cut at 0 and 1.

    On the CPU and from one seed: every model, on every device, sees the same view. uint8 like the images
    themselves, so that a model cannot tell a view by its resolution.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for start in range(0, len(images), PART):
        part = chain.apply_head(torch.from_numpy(np.array(images[start : start + PART])), generator)
        part = chain.apply_tail(part, generator, training=True)
        parts.append((part.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
    return np.concatenate(parts)


def small_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image `(C, H, W)`, made smaller where it is larger than `SIDE`."""
    sides = image.shape[1:]
    ratio = SIDE / max(sides)
    if ratio >= 1:
        return image
    whole = torch.from_numpy(np.array(image, np.float32))[None]
    found = functional.interpolate(whole, size=[max(1, round(ratio * side)) for side in sides], mode="area")
    return found[0].round().to(torch.uint8).numpy()
