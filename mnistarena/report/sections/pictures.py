"""One test image as it is and in each further view, side by side in one small picture that travels in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from numpy.typing import NDArray

from mnistarena.plugin.messages import view_title
from mnistarena.report.sections.gallery import pixels
from mnistarena.store.results import StoredTrial
from mnistarena.store.trial_folder import VIEWS

BUDGET = 40_000
"""Characters that these pictures of all datasets may take in the page."""
SIDES = (40, 28, 20, 14)
"""Heights or widths (pixels) of an image; the first at which the pictures fit."""


@dataclass(frozen=True)
class Pictures:
    """A PNG or WebP in base64: first the image as it is, then in each view, `tile` (width, height) pixels each.

    `places` are those of the views, by the name of the corruption and the severity as `ViewPoint` has it.
    """

    picture: str
    kind: str
    _: KW_ONLY
    tile: tuple[int, int]
    places: Mapping[tuple[str, str], int]


def pictures(trials: Iterable[StoredTrial], keys: Mapping[str, tuple[str, str]], budget: int) -> Pictures | None:
    """The pictures of the trial that has most views of those in `keys`, by title; None where no trial stored any."""
    best = max(
        (trial for trial in trials if trial.views and VIEWS in trial.files),
        key=lambda trial: len(trial.views),
        default=None,
    )
    stored = best.folder.views(best.files)[1] if best else None
    if best is None or stored is None or len(stored) != 1 + len(best.views):
        return None
    rows = [
        (keys[title], row) for title, row in zip(map(view_title, best.views), stored[1:], strict=True) if title in keys
    ]
    for side in SIDES:
        picture, kind, tile = _side_by_side([stored[0], *(row for _, row in rows)], side)
        if len(picture) <= budget:
            places = {key: place for place, (key, _) in enumerate(rows, 1)}
            return Pictures(picture, kind, tile=tile, places=places)
    return None


def _side_by_side(images: Sequence[NDArray[Any]], side: int) -> tuple[str, str, tuple[int, int]]:
    """Images in one picture in base64, none larger than `side`; its type, and the size of each."""
    from PIL import Image, features

    tiles = [Image.fromarray(pixels(image)) for image in images]
    for tile in tiles:
        tile.thumbnail((side, side))
    width, height = tiles[0].size
    whole = Image.new(tiles[0].mode, (len(tiles) * width, height))
    for at, tile in enumerate(tiles):
        whole.paste(tile, (at * width, 0))
    kind = "webp" if features.check("webp") else "png"
    stream = io.BytesIO()
    whole.save(stream, kind.upper(), quality=80)  # a PNG has no quality
    return base64.b64encode(stream.getvalue()).decode("ascii"), kind, (width, height)
