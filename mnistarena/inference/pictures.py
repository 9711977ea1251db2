"""Your own pictures for a trained model: read by the rules by which the images of its dataset were read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mnistarena.data.borders import Borders, border_brightness
from mnistarena.data.folders import files_below
from mnistarena.data.image_lists import ImageParams
from mnistarena.data.images import ImageRules, Picture, read_picture
from mnistarena.errors import DataError
from mnistarena.plugin.components import LeftOut, Shape
from mnistarena.store.records import DatasetRecord

READERS = ("image-folder", "table")
"""Datasets whose parameters say how image files are read."""


@dataclass
class Pictures:
    """Pictures that were read, files that cannot be read with the reason, and files of folders that are left out."""

    read: dict[Path, Picture] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def negatives(self, borders: Borders | None) -> list[Path]:
        """The pictures that look like negatives of the training images; none where the plan does not tell of these."""
        if borders is None:
            return []
        found = ((path, float(border_brightness(one.image[None])[0])) for path, one in self.read.items())
        return [path for path, border in found if borders.negative(border)]


def rules_of(planned: DatasetRecord, shape: Shape, *, invert: bool = False) -> ImageRules:
    """How pictures become images of a dataset of the plan, of `shape` (C, H, W).

    Files of more than 8 bits are scaled where the dataset says nothing of them.
    """
    channels, height, width = shape
    rules = ImageRules(channels, (height, width), depth="scale", invert=invert)
    given = planned.get("params", {}) if planned.get("name") in READERS else {}
    try:
        params = ImageParams.model_validate_json(json.dumps({k: given[k] for k in ("fit", "depth") if k in given}))
    except ValidationError:  # of an older or an altered plan
        return rules
    return ImageRules(channels, (height, width), fit=params.fit, depth=params.depth or "scale", invert=invert)


def read_pictures(paths: Iterable[Path], rules: ImageRules) -> Pictures:
    """The image files, and all of those in folders, by the rules."""
    found = Pictures()
    for path in _files(paths, found):
        try:
            found.read[path] = read_picture(path, rules)
        except DataError as problem:
            found.unreadable[path] = str(problem)
    return found


def _files(paths: Iterable[Path], found: Pictures) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        images = 0
        for file in files_below(path):
            if file.no_image is None:
                images += 1
                yield file.path
            else:
                found.left_out.append(LeftOut(str(file.path), file.no_image))
        if not images:
            found.unreadable[path] = f"{path}: the folder holds no image"
