"""Which column of a table is what: by the names that are usual where exactly one fits, else asked for."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.pixels import as_images
from mnistarena.data.tables import Table
from mnistarena.errors import DataError
from mnistarena.text import did_you_mean, few

USUAL = {
    "label": ("label", "labels", "class", "class_name", "classname", "category", "target", "fine_label"),
    "image": (
        "image",
        "img",
        "image_path",
        "image_file",
        "image_name",
        "image_id",
        "img_path",
        "path",
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
    ),
    "split": ("split", "subset", "partition"),
}
"""Names of columns; whether in upper or lower case does not matter."""
FEWEST = 4
"""So many numbered columns at least are pixels."""
NUMBERED = re.compile(r"(.*?)(\d+)(?:x(\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are used.

    `encoded` says that `image` holds image files; `pixels` are in order, or `listed` holds all pixels of an image.
    """

    label: str
    _: KW_ONLY
    image: str | None
    encoded: bool
    pixels: tuple[str, ...]
    listed: str | None
    grid: tuple[int, int] | None
    split: str | None
    groups: str | None

    @property
    def texts(self) -> list[str]:
        """The columns that are read as texts."""
        found = [self.label, self.split, self.groups, self.listed, None if self.encoded else self.image]
        return [name for name in found if name is not None]

    @property
    def used(self) -> set[str]:
        """All of them."""
        return {*self.texts, *self.pixels, *([self.image] if self.image else [])}


@dataclass(frozen=True)
class Wanted:
    """The columns that a spec names."""

    label: str | None
    image: str | None
    _: KW_ONLY
    pixels: str | None
    split: str | None
    groups: str | None
    one_split: bool


def find_columns(table: Table, wanted: Wanted) -> Columns:
    """The columns of a table. Raises `DataError` that lists them where one is not there or cannot be told."""
    label = _one(table, "label", wanted.label)
    if label is None:
        raise DataError(f'{table.path} has no column of labels with a usual name; write label = "…"; {_list(table)}')
    split = None if wanted.one_split or wanted.split == "" else _one(table, "split", wanted.split)
    groups = _one(table, "groups", wanted.groups) if wanted.groups else None
    rest = [name for name in table.columns if name not in (label, split, groups)]
    image = None if wanted.pixels is not None else _image(table, wanted.image, rest)
    listed = wanted.pixels if wanted.pixels in rest else None
    pixels = [] if wanted.image is not None or listed is not None else _pixels(table, wanted.pixels, rest)
    if image is not None and pixels:
        raise DataError(
            f"{table.path} has a column {image} and {len(pixels)} columns of numbers, {few(pixels, 2)}; "
            f'say which are the images: image = "{image}", or pixels = "{_prefix(pixels[0])}"'
        )
    if image is None and listed is None and not pixels:
        raise DataError(
            f"{table.path} has no column of images, or of their paths, with a usual name, and no columns of pixels; "
            f'write image = "…" or pixels = "…", what the names of the columns of pixels begin with; {_list(table)}'
        )
    order, grid = _in_order(table, pixels)
    encoded = image in table.encoded
    return Columns(
        label, image=image, encoded=encoded, pixels=order, listed=listed, grid=grid, split=split, groups=groups
    )


def _list(table: Table) -> str:
    return f"its columns: {few(list(table.columns), 12)}"


def _one(table: Table, role: str, name: str | None) -> str | None:
    """The column of a role; None where it has no name and no usual one is there."""
    if name is not None:
        if name not in table.columns:
            near = did_you_mean(name, table.columns)
            raise DataError(f'{table.path} has no column "{name}"{near or "; " + _list(table)}')
        return name
    fitting = [column for column in table.columns if column.casefold() in USUAL[role]]
    if len(fitting) > 1:
        raise DataError(
            f'{table.path} has the columns {" and ".join(fitting)}; say which is the {role}: {role} = "{fitting[0]}"'
        )
    return fitting[0] if fitting else None


def _image(table: Table, name: str | None, rest: Sequence[str]) -> str | None:
    """The column of image files where there is one, else that of their paths."""
    encoded = [column for column in table.encoded if column in rest]
    return encoded[0] if name is None and len(encoded) == 1 else _one(table, "image", name)


def _prefix(name: str) -> str:
    found = NUMBERED.fullmatch(name)
    return found[1] if found else name


def _pixels(table: Table, prefix: str | None, rest: Sequence[str]) -> list[str]:
    """The columns of pixels: those with one beginning and a number after it."""
    families: dict[str, list[str]] = defaultdict(list)
    for name in rest:
        if NUMBERED.fullmatch(name):
            families[_prefix(name)].append(name)
    if prefix is not None:
        if prefix not in families:
            raise DataError(f'{table.path} has no columns "{prefix}0", "{prefix}1", …; {_list(table)}')
        return families[prefix]
    large = [family for family in families.values() if len(family) >= FEWEST]
    if len(large) > 1:
        shown = few([f"{len(family)} like {family[0]}" for family in large])
        raise DataError(
            f"{table.path} has several families of numbered columns ({shown}); say which are the pixels: "
            f'pixels = "{_prefix(large[0][0])}"'
        )
    return large[0] if large else []


def _in_order(table: Table, pixels: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, int] | None]:
    """Columns of pixels in the order of their numbers, and (rows, columns) where their names are like 1x1."""
    if not pixels:
        return (), None
    found = {name: NUMBERED.fullmatch(name) for name in pixels}
    numbers = {name: (int(match[2]), int(match[3] or -1)) for name, match in found.items() if match}
    order = tuple(sorted(numbers, key=lambda name: numbers[name]))
    rows, columns = ({pair[axis] for pair in numbers.values()} for axis in (0, 1))
    whole = len(rows) * len(columns) == len(set(numbers.values())) == len(pixels)
    if not whole or any(max(axis) - min(axis) + 1 != len(axis) for axis in (rows, columns)):
        raise DataError(
            f"{table.path} has {len(pixels)} columns of pixels from {order[0]} to {order[-1]}, some are missing"
        )
    return order, None if columns == {-1} else (len(rows), len(columns))


def shape_of(
    count: int,
    size: tuple[int, int] | None,
    channels: int | None,
    *,
    layout: Literal["NHWC", "NCHW"] | None,
    where: Path,
) -> tuple[int, int, int]:
    """(channels, height, width) of images of `count` pixels. Raises `DataError` that says what to write."""
    several = channels or 1
    side = math.isqrt(count // several)
    height, width = size or (side, side)
    if several * height * width != count:
        raise DataError(
            f"{where}: {count} pixels an image are not {several} × {height} × {width} (channels, height, width); "
            "write size = [height, width], and channels = 3 where they are coloured"
        )
    if several > 1 and layout is None:
        raise DataError(
            f'{where}: in which order are the {count} pixels of an image? write layout = "NHWC" where the colours of '
            'a pixel follow one another, "NCHW" where all of one colour do'
        )
    return several, height, width


def images_of(
    pixels: NDArray[np.uint8], shape: tuple[int, int, int], layout: Literal["NHWC", "NCHW"] | None
) -> NDArray[np.uint8]:
    """Rows of pixels as images `(n, C, H, W)`."""
    channels, height, width = shape
    if layout == "NHWC":
        return as_images(pixels.reshape(-1, height, width, channels), "pixels", [], layout="NHWC")
    return pixels.reshape(-1, channels, height, width)
