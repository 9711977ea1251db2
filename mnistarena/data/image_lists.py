"""Many image files as one array: their size and channels found or asked for, what cannot be read counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.data.depths import MOST_16
from mnistarena.data.images import (
    DARK,
    Fit,
    Header,
    ImageRules,
    Picture,
    Source,
    decode,
    inspect,
    open_image,
    quiet,
    why,
)
from mnistarena.data.large import empty_images
from mnistarena.errors import DataError
from mnistarena.plugin.components import LeftOut, Params
from mnistarena.text import few, plural

Side = Annotated[int, Field(ge=1, le=4096)]


class ImageParams(Params):
    """Parameters of a dataset that reads image files."""

    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] | None = Field(
        None, description="make every image so many pixels a side, or [height, width]; needed where sizes differ"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="make every image grey (1) or coloured (3); needed where both are there"
    )
    fit: Fit = Field(
        "stretch",
        description='how an image gets its size: "stretch"; "pad" keeps its proportions and fills up with the median '
        'colour of its outermost pixels; "crop" keeps them and cuts off',
    )
    depth: Literal["scale"] | Annotated[float, Field(gt=0)] | None = Field(
        None,
        description='images of more than 8 bits a channel: "scale" divides by the white of their format, a number by '
        "itself, such as 4095 for 12 bits in a 16-bit file; without it they are refused",
    )
    unreadable: Literal["refuse", "skip"] = Field(
        "refuse", description='images that cannot be read: "skip" leaves them out and lists them'
    )

    def target(self) -> tuple[int, int] | None:
        """(height, width), where the images are to be resized."""
        if self.size is None or isinstance(self.size, list):
            return None if self.size is None else (self.size[0], self.size[1])
        return self.size, self.size


@dataclass(frozen=True)
class ReadImages:
    """Images uint8 `(n, C, H, W)`, and which of the sources they are: int64 `(n,)`."""

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    _: KW_ONLY
    left_out: tuple[LeftOut, ...]


def read_images(sources: Collection[tuple[str, Source]], params: ImageParams, *, where: str) -> ReadImages:
    """Every image, in the order of the sources, each a name with its path or its bytes.

    Size and channels are those of all images where the parameters leave them out. Each file is read once. Raises
    `DataError`, beginning with `where`, that counts and names what cannot be used.
    """
    reading = _Reading(params, len(sources))
    with quiet():
        for row, (name, source) in enumerate(sources):
            reading.take(row, name, source)
    wrong = reading.problems()
    if wrong:
        raise DataError(f"{where}: {'; '.join(wrong)}")
    rows = np.array(reading.rows, np.int64)
    return ReadImages(reading.images[: len(rows)], rows, left_out=tuple(reading.left_out))


@dataclass
class _Reading:
    """What was read so far. Pixels are decoded as long as all images fit together; then headers only, to count."""

    params: ImageParams
    total: int
    _: KW_ONLY
    images: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 1, 1, 1), np.uint8))
    rows: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    deep: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    shapes: Counter[tuple[int, int]] = field(default_factory=Counter)
    colours: Counter[bool] = field(default_factory=Counter)
    peaks: list[float] = field(default_factory=list)

    def take(self, row: int, name: str, source: Source) -> None:
        """Read one image, or note why that is not possible."""
        try:
            with open_image(source) as opened:
                header = inspect(opened, source, load=self._fits())
                if header.depth.read == "not":
                    raise DataError("more than 8 bits a channel in a layout that Pillow does not read rightly")
                picture = decode(opened, source, header, self._rules(header)) if self._joins(name, header) else None
        except Exception as problem:  # a damaged file raises another exception for each decoder
            self.broken.append(f"{name} ({why(problem, source)})")
            self.left_out.append(LeftOut(name, f"cannot be read: {why(problem, source)}"))
        else:
            self._keep(row, name, header, picture)

    def _fits(self) -> bool:
        return not self.deep and len(self.shapes) <= 1 and len(self.colours) <= 1

    def _joins(self, name: str, header: Header) -> bool:
        """Whether an image fits to those before it."""
        refusal = header.depth.refusal(self.params.depth)
        if refusal is not None:
            self.deep.setdefault(refusal, []).append(name)
        shape = {header.size} if self.params.size is None else set()
        colour = {header.grey} if self.params.channels is None else set()
        return not self.deep and len(shape | set(self.shapes)) <= 1 and len(colour | set(self.colours)) <= 1

    def _rules(self, header: Header) -> ImageRules:
        channels = self.params.channels or (1 if header.grey else 3)
        size = self.params.target() or header.size
        return ImageRules(channels, size, fit=self.params.fit, depth=self.params.depth)

    def _keep(self, row: int, name: str, header: Header, picture: Picture | None) -> None:
        if self.params.size is None:
            self.shapes[header.size] += 1
        if self.params.channels is None:
            self.colours[header.grey] += 1
        if picture is None:
            return
        if not len(self.images):
            self.images = empty_images((self.total, *picture.image.shape))
        self.images[len(self.rows)] = picture.image
        self.rows.append(row)
        if picture.peak is not None and header.depth.white == MOST_16:
            self.peaks.append(picture.peak)
        if picture.frames > 1:
            self.left_out.append(LeftOut(name, f"its images after the first, {picture.frames - 1}"))

    def problems(self) -> list[str]:
        """What keeps the images from being one array."""
        wrong = []
        if self.broken and (self.params.unreadable == "refuse" or len(self.broken) == self.total):
            skip = '; set unreadable = "skip" to leave them out' if len(self.broken) < self.total else ""
            wrong.append(f"{len(self.broken)} of {self.total} images cannot be read: {few(self.broken)}{skip}")
        for (what, remedy), names in self.deep.items():
            wrong.append(f"{len(names)} of {self.total} images {what}: {few(names)}; {remedy}")
        if len(self.shapes) > 1:
            sizes = few([f"{height} × {width} ({count})" for (height, width), count in self.shapes.most_common()])
            wrong.append(f"its images have {len(self.shapes)} sizes, height × width (images): {sizes}; set size")
        if len(self.colours) > 1:
            grey, coloured = self.colours[True], self.colours[False]
            wrong.append(f"{plural(grey, 'image')} grey and {coloured} coloured; set channels to 1 or 3")
        if not wrong and self.params.depth == "scale" and self.peaks and max(self.peaks) < DARK:
            highest, count = round(max(self.peaks) * MOST_16), plural(len(self.peaks), "image")
            wrong.append(
                f"the highest value in {count} of 16 bits is {highest:,}, so all would be dark: "
                f"write depth = {2 ** highest.bit_length() - 1}, or depth = {MOST_16} if they are meant to be dark"
            )
        return wrong
