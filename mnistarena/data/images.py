"""Image files as arrays of a dataset: upright, its channels, its size, uint8."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import DataError, first_line
from mnistarena.plugin.components import Shape

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 3: "RGB"}
"""Pillow's modes by number of channels."""

LIGHTER = 0.4
"""A picture whose border is lighter than the training images by this share of black to white is on white paper."""


@dataclass(frozen=True)
class Picture:
    """A file as an image uint8 `(C, H, W)`; `notes` say what was done to it."""

    image: NDArray[np.uint8]
    notes: tuple[str, ...]

    @property
    def border(self) -> float:
        """Mean brightness of the outermost pixels, 0 to 1."""
        inner = np.zeros(self.image.shape[1:], bool)
        inner[1:-1, 1:-1] = True
        return float(self.image[:, ~inner].mean() / 255)


def read_picture(path: Path, shape: Shape, *, invert: bool = False) -> Picture:
    """A PNG or JPEG file as an image of `shape`, (C, H, W); see `decode`.

    With `invert`, light and dark are swapped. Raises `DataError` where the file cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    channels, height, width = shape
    if channels not in MODES:
        raise DataError(f"{path}: the model wants images of {channels} channels, which no PNG or JPEG file holds")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as opened:
                image, notes = decode(opened, channels, (height, width))
    except UnidentifiedImageError as problem:
        raise DataError(f"cannot read {path}: it is not a PNG or JPEG file") from problem
    except Exception as problem:  # a damaged file raises another exception for each decoder
        raise DataError(f"cannot read {path}: {first_line(problem)}") from problem
    return Picture(255 - image, (*notes, "inverted")) if invert else Picture(image, notes)


def decode(opened: Image.Image, channels: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """An opened image file as uint8 `(channels, height, width)`, `size` being (height, width), and what was done.

    Turned upright where EXIF says so, put on white where transparent, resized (bilinear, antialiased).
    """
    from PIL import Image, ImageOps

    notes = []
    picture = ImageOps.exif_transpose(opened)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        notes.append("put on white where transparent")
    before, picture = picture.mode, _eight_bits(picture).convert(MODES[channels])
    if channels == 1 and before not in ("1", "L", "I", "I;16"):
        notes.append("made grey")
    height, width = size
    if picture.size != (width, height):
        notes.append(f"resized from {picture.height} × {picture.width} to {height} × {width}")
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)  # Pillow's is antialiased
    pixels = np.asarray(picture, np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)), tuple(notes)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits; Pillow's own conversion cuts values off at 255."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8))
