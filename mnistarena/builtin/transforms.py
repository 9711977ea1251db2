"""Transforms of image batches, float (N, C, H, W), on the device.

Random ones draw per image: torchvision's draw once for a whole batch of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mnistarena.plugin.components import Params, Shape, Task, TransformDef
from mnistarena.plugin.hooks import hookimpl

if TYPE_CHECKING:
    import torch

    Apply = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

Side = Annotated[int, Field(ge=1, le=4096)]


class NormalizeParams(Params):
    """Parameters of normalize."""

    statistics: Literal["train", "imagenet", "half"] = Field(
        "train", description="whose mean and deviation: the training split's, ImageNet's, or 0.5 for both"
    )


class ResizeParams(Params):
    """Parameters of resize."""

    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] = Field(
        description="pixels of each side, or [height, width]"
    )

    def target(self) -> tuple[int, int]:
        """(height, width)."""
        return (self.size, self.size) if isinstance(self.size, int) else (self.size[0], self.size[1])


class CropParams(ResizeParams):
    """Parameters of center-crop."""


class PadParams(Params):
    """Parameters of pad."""

    size: Side = Field(description="pixels of each side afterwards; the image stays in the middle")
    value: float = Field(0.0, ge=-10, le=10, description="what the border is filled with")


class NoParams(Params):
    """No parameters."""


class AffineParams(Params):
    """Parameters of random-affine."""

    degrees: float = Field(10.0, ge=0, le=180, description="rotation up to this, either way")
    translate: float = Field(0.1, ge=0, le=1, description="shift up to this share of each side")
    scale: list[Annotated[float, Field(gt=0, le=10)]] = Field(
        [0.9, 1.1], min_length=2, max_length=2, description="least and largest scale"
    )
    shear: float = Field(0.0, ge=0, le=80, description="shear up to this many degrees, either way")

    @model_validator(mode="after")
    def _ordered(self) -> AffineParams:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f'"scale" runs from {self.scale[0]} down to {self.scale[1]}; give the least first')
        return self


class ErasingParams(Params):
    """Parameters of random-erasing (Zhong et al. 2020)."""

    probability: float = Field(0.5, ge=0, le=1, description="share of images that lose a rectangle")
    area: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.02, 0.2], min_length=2, max_length=2, description="least and largest share of the image that is erased"
    )
    ratio: float = Field(3.3, ge=1, le=20, description="largest ratio of the rectangle's sides")
    value: float = Field(0.0, ge=-10, le=10, description="what the rectangle is filled with")

    @model_validator(mode="after")
    def _ordered(self) -> ErasingParams:
        if self.area[0] > self.area[1]:
            raise ValueError(f'"area" runs from {self.area[0]} down to {self.area[1]}; give the least first')
        return self


def normalize(params: NormalizeParams, task: Task) -> Apply:
    """(x − mean) / std, channel by channel."""
    import torch

    channels = task.image_shape[0]
    if params.statistics == "imagenet":
        mean, std = IMAGENET
    elif params.statistics == "half":
        mean, std = [0.5], [0.5]
    else:
        # The training split's statistics are of the original images, which to-rgb may have repeated.
        mean, std = list(task.mean), [s if s > 0 else 1.0 for s in task.std]
    if len(mean) not in (1, channels):
        raise ValueError(f"statistics of {len(mean)} channels for images of {channels}")
    shift = torch.tensor(mean).view(1, -1, 1, 1)
    scale = torch.tensor(std).view(1, -1, 1, 1)

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return (images - shift.to(images.device)) / scale.to(images.device)

    return apply


def normalize_shape(params: NormalizeParams, shape: Shape) -> Shape:
    """Unchanged; ImageNet's statistics need three channels."""
    if params.statistics == "imagenet" and shape[0] != 3:
        raise ValueError(f'ImageNet\'s statistics are of 3 channels, the images have {shape[0]}; put "to-rgb" before')
    return shape


def resize(params: ResizeParams, task: Task) -> Apply:
    """Bilinear, with antialiasing when it shrinks."""
    from torch.nn.functional import interpolate

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return interpolate(images, size=params.target(), mode="bilinear", antialias=True, align_corners=False)

    return apply


def resize_shape(params: ResizeParams, shape: Shape) -> Shape:
    """The target size."""
    return (shape[0], *params.target())


def center_crop(params: CropParams, task: Task) -> Apply:
    """The middle of each image; an odd pixel is cut off on the right and below."""
    high, wide = params.target()

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        top, left = (images.shape[2] - high) // 2, (images.shape[3] - wide) // 2
        return images[:, :, top : top + high, left : left + wide]

    return apply


def crop_shape(params: CropParams, shape: Shape) -> Shape:
    """The size that is left."""
    high, wide = params.target()
    if high > shape[1] or wide > shape[2]:
        raise ValueError(f'{high} × {wide} pixels cannot be cut out of {shape[1]} × {shape[2]} images; use "pad"')
    return (shape[0], high, wide)


def pad(params: PadParams, task: Task) -> Apply:
    """Equal borders; an odd pixel goes to the right and below."""
    from torch.nn.functional import pad as pad_borders

    _, height, width = task.image_shape
    top, left = (params.size - height) // 2, (params.size - width) // 2
    borders = (left, params.size - width - left, top, params.size - height - top)

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return pad_borders(images, borders, value=params.value)

    return apply


def pad_shape(params: PadParams, shape: Shape) -> Shape:
    """`size`, which must not be smaller than the image."""
    if params.size < max(shape[1:]):
        raise ValueError(f'{shape[1]} × {shape[2]} images do not shrink by padding to {params.size}; use "resize"')
    return shape[0], params.size, params.size


def to_rgb(params: NoParams, task: Task) -> Apply:
    """The one channel three times; colour images stay as they are."""

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return images.expand(-1, 3, -1, -1)

    return apply


def to_rgb_shape(params: NoParams, shape: Shape) -> Shape:
    """Three channels, from one or three."""
    if shape[0] not in (1, 3):
        raise ValueError(f"images of {shape[0]} channels have no one way to become RGB")
    return 3, shape[1], shape[2]


def random_affine(params: AffineParams, task: Task) -> Apply:
    """Rotation, shift, scale and shear about the centre, drawn for each image; zeros come in from outside."""
    import torch

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        draws = torch.rand(5, len(images), generator=generator, device=images.device) * 2 - 1
        angle = draws[0] * math.radians(params.degrees)
        shear = torch.tan(draws[1] * math.radians(params.shear))
        low, high = params.scale
        scale = (low + high) / 2 + draws[2] * (high - low) / 2
        return affine(images, angle, shear, scale, draws[3:].T * params.translate)

    return apply


def affine(
    images: torch.Tensor, angle: torch.Tensor, shear: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor
) -> torch.Tensor:
    """Images `(N, C, H, W)` turned by `angle` (radians), sheared (tangent), scaled: each `(N,)`; zeros come in.

    `shift` `(N, 2)` is in shares of the width and height. Bilinear.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    aspect = images.shape[2] / images.shape[3]
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # affine_grid maps output to input in coordinates from −1 to 1, so this is the inverse; a whole
    # side is 2 units, and rotation has to know when the image is not square.
    row_x = torch.stack([cos, (cos * shear - sin) * aspect], dim=1)
    row_y = torch.stack([sin / aspect, sin * shear + cos], dim=1)
    inverse = torch.stack([row_x, row_y], dim=1)
    # The shift is of the output: put through the inverse, scale and rotation leave its bounds alone.
    offset = inverse @ (shift * 2).unsqueeze(2)
    grid = affine_grid(torch.cat([inverse, offset], dim=2), list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False)


def random_erasing(params: ErasingParams, task: Task) -> Apply:
    """A rectangle of random size and place, drawn for each image."""
    import torch

    _, height, width = task.image_shape

    def apply(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        chance, area, ratio, y, x = torch.rand(5, len(images), 1, generator=generator, device=images.device)
        area = (params.area[0] + area * (params.area[1] - params.area[0])) * height * width
        ratio = torch.exp((ratio * 2 - 1) * math.log(params.ratio))
        h = (area * ratio).sqrt().round().clamp(1, height)
        w = (area / ratio).sqrt().round().clamp(1, width)
        top, left = (y * (height - h + 1)).floor(), (x * (width - w + 1)).floor()
        rows = torch.arange(height, device=images.device)
        columns = torch.arange(width, device=images.device)
        in_rows = (rows >= top) & (rows < top + h)
        in_columns = (columns >= left) & (columns < left + w)
        erased = in_rows[:, :, None] & in_columns[:, None, :] & (chance < params.probability)[:, :, None]
        return images.masked_fill(erased[:, None], params.value)

    return apply


@hookimpl
def arena_transforms() -> Iterable[TransformDef]:
    """The builtin transforms."""
    return [
        TransformDef(
            "normalize",
            "zero mean and unit deviation, by the training split's statistics or ImageNet's",
            params=NormalizeParams,
            build=normalize,
            shape=normalize_shape,
        ),
        TransformDef("resize", "another size, bilinear", params=ResizeParams, build=resize, shape=resize_shape),
        TransformDef("center-crop", "the middle of the image", params=CropParams, build=center_crop, shape=crop_shape),
        TransformDef("pad", "a border around the image", params=PadParams, build=pad, shape=pad_shape),
        TransformDef("to-rgb", "one channel three times", params=NoParams, build=to_rgb, shape=to_rgb_shape),
        TransformDef(
            "random-affine",
            "rotation, shift, scale and shear, drawn per image",
            params=AffineParams,
            build=random_affine,
            random=True,
        ),
        TransformDef(
            "random-erasing",
            "a blank rectangle, drawn per image",
            params=ErasingParams,
            build=random_erasing,
            random=True,
        ),
    ]
