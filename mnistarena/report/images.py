"""Which test images the models get wrong, and how much of that is the labels' fault."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.files import unique_slug
from mnistarena.report.evidence import Recipe

SHARED = 32
"""Images that most models get wrong, at most this many."""
OWN = 4
"""Beyond those, the own clearest errors of each of the `OWN_MODELS` most accurate models."""
OWN_MODELS = 12
MARKDOWN_TILES = 12
"""So many stand in the Markdown, each a file."""
LARGEST = 64
"""Larger images are shown at this height or width, in pixels."""


@dataclass(frozen=True)
class Miss:
    """One recipe on one image: what most of its wrong seeds took it for, with their mean probability."""

    label: str
    predicted: str
    probability: float
    wrong: int
    seeds: int


@dataclass(frozen=True)
class Box:
    """Where a detector saw something: all in percent of the image's sides."""

    label: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Tile:
    """A test image that somebody got wrong. `png` is base64; `misses` are the recipes most of whose seeds did.

    `right` counts the recipes most of whose seeds had it right; `boxes` are of the detectors among all recipes.
    """

    index: int
    true: str
    known_error: bool
    misses: tuple[Miss, ...]
    right: int
    png: str
    boxes: tuple[Box, ...] = ()


def picture(tile: Tile, dataset: str) -> str:
    """A tile's file name in figures/."""
    return f"{unique_slug(dataset)}-{tile.index}.png"


@dataclass(frozen=True)
class LabelErrors:
    """A recipe's accuracy on all test images, and without those known to be labelled wrongly.

    `agreed` is how many of these wrong labels it gave, in the mean over seeds, of `errors`.
    """

    label: str
    accuracy: float
    without: float
    agreed: float
    errors: int


def _comparable(recipes: list[Recipe]) -> list[Recipe]:
    """The recipes that predicted the same images as the first of them."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    return [recipe for recipe in ready if np.array_equal(recipe.index, ready[0].index)]


def gallery(recipes: list[Recipe], split: dict[str, Any], dataset: dict[str, Any]) -> tuple[Tile, ...]:
    """Misclassified images: those that most models get wrong first, then each model's own."""
    ready = _comparable(recipes)
    names = [str(name) for name in dataset["class_names"]]
    wrong = np.array([1 - recipe.correct.mean(axis=0) for recipe in ready])
    missed = wrong > 0.5
    index = ready[0].index
    order = np.lexsort((index, -wrong.sum(axis=0), -missed.sum(axis=0)))
    chosen = [int(at) for at in order[:SHARED] if missed[:, at].any()]
    if len(ready) > 1:
        for number, recipe in enumerate(ready[:OWN_MODELS]):
            sure = np.where(recipe.correct, 0.0, recipe.confidence).mean(axis=0)
            own = np.argsort(-(sure * missed[number]), kind="stable")[: SHARED // 2]
            chosen += [int(at) for at in own if missed[number, at] and int(at) not in chosen][:OWN]
    place = {int(where): at for at, where in enumerate(split["index"])}
    known = set(dataset.get("known_label_errors") or ())
    tiles = []
    for at in chosen:
        image = int(index[at])
        if image not in place:
            raise StoreError(f"{dataset['label']}: the stored test split lacks image {image}, which was predicted")
        misses = tuple(_miss(recipe, at, names) for number, recipe in enumerate(ready) if missed[number, at])
        picture = _png(split["images"][place[image]])
        true = names[int(ready[0].labels[at])]
        right = len(ready) - len(misses)
        tiles.append(Tile(image, true, image in known, misses, right, picture, tuple(_boxes(ready, at))))
    return tuple(tiles)


def _boxes(recipes: list[Recipe], at: int) -> Iterator[Box]:
    for recipe in recipes:
        if recipe.boxes is not None:
            left, top, right, bottom = (round(100 * float(side), 1) for side in recipe.boxes[at])
            if right > left and bottom > top:
                yield Box(recipe.label, left, top, round(right - left, 1), round(bottom - top, 1))


def _miss(recipe: Recipe, at: int, names: list[str]) -> Miss:
    wrong = ~recipe.correct[:, at]
    said = recipe.predicted[wrong, at]
    most = int(np.bincount(said).argmax())
    sure = float(recipe.confidence[wrong, at][said == most].mean())
    return Miss(recipe.label, names[most], sure, int(wrong.sum()), len(recipe.correct))


def _png(image: NDArray[np.uint8]) -> str:
    """An image `(C, H, W)` as PNG, base64: grey for one channel, colour for three, else the channels' mean."""
    from PIL import Image

    if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise StoreError(f"a stored test image has shape {image.shape} and type {image.dtype}; wanted uint8 (C, H, W)")
    pixels = np.moveaxis(image, 0, -1)
    if image.shape[0] == 1:
        pixels = pixels[:, :, 0]
    elif image.shape[0] != 3:
        pixels = pixels.mean(axis=2).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def label_errors(recipes: list[Recipe], dataset: dict[str, Any]) -> tuple[LabelErrors, ...]:
    """Accuracy with and without the test images known to be labelled wrongly; empty where none is known."""
    known = np.array(sorted(dataset.get("known_label_errors") or ()), dtype=np.int64)
    found = []
    for recipe in recipes:
        if not len(recipe.correct):
            continue
        doubtful = np.isin(recipe.index, known)
        errors = int(doubtful.sum())
        if errors and errors < recipe.index.size:
            agreed = float(recipe.correct[:, doubtful].sum(axis=1).mean())
            without = float(recipe.correct[:, ~doubtful].mean())
            found.append(LabelErrors(recipe.label, recipe.accuracy, without, agreed, errors))
    return tuple(found)
