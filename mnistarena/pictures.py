"""Picture files as the images of a dataset: its channels, its size, uint8."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistarena.components import Shape
from mnistarena.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 3: "RGB"}

LIGHTER = 0.4
"""A border lighter than the training images by so much of the way from black to white is paper, not background."""


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


def read(path: Path, shape: Shape, *, invert: bool = False) -> Picture:
    """A PNG or JPEG file as an image of `shape`: upright, on white where transparent, resized (bilinear, antialiased).

    With `invert`, light and dark change places. Raises `DataError` where the file cannot be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    channels, height, width = shape
    if channels not in MODES:
        raise DataError(f"{path}: the model wants images of {channels} channels, which no PNG or JPEG file holds")
    notes = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as opened:
                picture = ImageOps.exif_transpose(opened)
    except OSError as problem:
        why = "it is no PNG or JPEG file" if isinstance(problem, UnidentifiedImageError) else _first(problem)
        raise DataError(f"cannot read {path}: {why}") from problem
    except Exception as problem:  # a damaged file raises whatever its decoder stumbles over
        raise DataError(f"cannot read {path}: {_first(problem)}") from problem
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        notes.append("put on white where transparent")
    before, picture = picture.mode, _eight_bits(picture).convert(MODES[channels])
    if channels == 1 and before not in ("1", "L", "I", "I;16"):
        notes.append("made grey")
    if picture.size != (width, height):
        notes.append(f"resized from {picture.height} × {picture.width} to {height} × {width}")
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)  # Pillow's is antialiased
    pixels = np.asarray(picture, np.uint8).reshape(height, width, channels)
    image = np.ascontiguousarray(np.moveaxis(255 - pixels if invert else pixels, -1, 0))
    return Picture(image, (*notes, "inverted") if invert else tuple(notes))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey off at 255 where it should divide."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8))


def _first(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem).partition("\n")[0] or type(problem).__name__
