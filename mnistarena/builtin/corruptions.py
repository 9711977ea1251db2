"""What may happen to an image on its way to a model: transforms for `[[evaluation]]`, each with one strength.

After MNIST-C (Mu and Gilmer 2019), but in units that can be measured: pixels, degrees, shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena.builtin.transforms import affine
from mnistarena.plugin.components import Params, Task, TransformDef
from mnistarena.plugin.hooks import hookimpl

if TYPE_CHECKING:
    import torch

    Apply = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


class BlurParams(Params):
    """Parameters of blur."""

    sigma: float = Field(1.0, gt=0, le=100, description="standard deviation of the Gaussian, in pixels")


class NoiseParams(Params):
    """Parameters of noise."""

    deviation: float = Field(0.2, ge=0, le=10, description="standard deviation; black to white is 1")


class RotateParams(Params):
    """Parameters of rotate."""

    degrees: float = Field(15.0, ge=0, le=180, description="how far, each image to one side or the other")


class ShiftParams(Params):
    """Parameters of shift."""

    pixels: float = Field(2.0, ge=0, le=4096, description="how far, each image in a direction of its own")


class ScaleParams(Params):
    """Parameters of scale."""

    factor: float = Field(0.7, gt=0, le=10, description="below 1 the image shrinks within its frame")


class ContrastParams(Params):
    """Parameters of contrast."""

    factor: float = Field(0.5, ge=0, le=10, description="distance of each pixel from the image's mean, of what it was")


class OcclusionParams(Params):
    """Parameters of occlusion."""

    side: float = Field(0.3, ge=0, le=1, description="of the black square, as a share of the image's shorter side")


def blur(params: BlurParams, task: Task) -> Apply:
    """A Gaussian, as wide as three deviations; beyond the border the image is taken to go on as it ends."""
    import torch
    from torch.nn.functional import conv2d, pad

    radius = max(1, math.ceil(3 * params.sigma))
    places = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-(places**2) / (2 * params.sigma**2))
    weights = weights / weights.sum()

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        channels = images.shape[1]
        kernel = weights.to(images.device).expand(channels, 1, -1)
        images = pad(images, (radius, radius, radius, radius), mode="replicate")
        images = conv2d(images, kernel[:, :, :, None], groups=channels)
        return conv2d(images, kernel[:, :, None, :], groups=channels)

    return apply


def noise(params: NoiseParams, task: Task) -> Apply:
    """Gaussian, of its own for each pixel; what leaves black or white is cut off."""
    import torch

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        drawn = torch.randn(images.shape, generator=generator, device=images.device)
        return (images + params.deviation * drawn).clamp(0, 1)

    return apply


def rotate(params: RotateParams, task: Task) -> Apply:
    """Turns images about the centre by exactly these degrees; the side is drawn for each image."""
    import torch

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        side = torch.rand(len(images), generator=generator, device=images.device).sub(0.5).sign()
        zeros = torch.zeros_like(side)
        return affine(images, side * math.radians(params.degrees), zeros, zeros + 1, torch.stack([zeros, zeros], 1))

    return apply


def shift(params: ShiftParams, task: Task) -> Apply:
    """Moves images by exactly these pixels; the direction is drawn for each image."""
    import torch

    _, height, width = task.image_shape

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        angle = torch.rand(len(images), generator=generator, device=images.device) * (2 * math.pi)
        zeros = torch.zeros_like(angle)
        shares = torch.stack([torch.cos(angle) / width, torch.sin(angle) / height], 1)
        return affine(images, zeros, zeros, zeros + 1, shares * params.pixels)

    return apply


def scale(params: ScaleParams, task: Task) -> Apply:
    """Scales images about the centre; black comes in from outside."""
    import torch

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        zeros = torch.zeros(len(images), device=images.device)
        return affine(images, zeros, zeros, zeros + params.factor, torch.stack([zeros, zeros], 1))

    return apply


def contrast(params: ContrastParams, task: Task) -> Apply:
    """Moves values towards the image's own mean, or away from it; what leaves black or white is cut off."""

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        mean = images.mean((1, 2, 3), keepdim=True)
        return (mean + params.factor * (images - mean)).clamp(0, 1)

    return apply


def occlusion(params: OcclusionParams, task: Task) -> Apply:
    """A black square within the image, at a place drawn for each."""
    import torch

    _, height, width = task.image_shape
    side = round(params.side * min(height, width))

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        y, x = torch.rand(2, len(images), 1, generator=generator, device=images.device)
        top, left = (y * (height - side + 1)).floor(), (x * (width - side + 1)).floor()
        rows, columns = (torch.arange(n, device=images.device) for n in (height, width))
        hidden_rows = (rows >= top) & (rows < top + side)
        hidden_columns = (columns >= left) & (columns < left + side)
        return images.masked_fill((hidden_rows[:, :, None] & hidden_columns[:, None, :])[:, None], 0.0)

    return apply


@hookimpl
def arena_transforms() -> Iterable[TransformDef]:
    """The builtin corruptions."""
    return [
        TransformDef("blur", "out of focus: a Gaussian blur", params=BlurParams, build=blur),
        TransformDef(
            "noise", "Gaussian noise, of its own for each pixel", params=NoiseParams, build=noise, random=True
        ),
        TransformDef("rotate", "a turn by so many degrees, either way", params=RotateParams, build=rotate, random=True),
        TransformDef(
            "shift", "a shift by so many pixels, in any direction", params=ShiftParams, build=shift, random=True
        ),
        TransformDef("scale", "smaller or larger about the centre", params=ScaleParams, build=scale),
        TransformDef("contrast", "less or more contrast", params=ContrastParams, build=contrast),
        TransformDef("occlusion", "a black square somewhere", params=OcclusionParams, build=occlusion, random=True),
    ]
