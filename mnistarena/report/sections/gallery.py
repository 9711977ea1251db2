"""The test images that the models get wrong, and how many of their errors are due to wrong labels."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import percent
from mnistarena.store.records import DatasetRecord
from mnistarena.text import plural, unique_slug, visible

SHARED = 32
"""How many images that most models get wrong are shown, at most."""
OWN = 4
"""How many of its most confident errors each of the `OWN_MODELS` most accurate models adds to those."""
OWN_MODELS = 12
MARKDOWN_TILES = 6
"""How many images the Markdown shows, each a file."""
SURE = 0.9
"""A mean probability of the predicted class from which a recipe is sure of an image."""
LARGEST = 64
"""Larger images are shown at this height or width, in pixels."""


@dataclass(frozen=True)
class Miss:
    """One recipe on one image: what most of its wrong seeds took it for, with their mean probability.

    `probability` is None of a model that gives none.
    """

    label: str
    predicted: str
    _: KW_ONLY
    probability: float | None
    wrong: int
    seeds: int


@dataclass(frozen=True)
class Box:
    """Where the detector `label` found something: all in percent of the image's sides."""

    label: str
    left: float
    _: KW_ONLY
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Tile:
    """A test image that some recipe got wrong. `name` is what its dataset calls it, or its number.

    `png` is base64, "" where the run has no pixels of it.
    `misses` are the recipes most of whose seeds were wrong, `right` the number of the others; `boxes` are of the
    detectors among all recipes. `suspect`: most recipes take it for one other class, and are sure of that.
    """

    index: int
    true: str
    _: KW_ONLY
    known_error: bool
    misses: tuple[Miss, ...]
    right: int
    png: str
    name: str
    suspect: bool = False
    boxes: tuple[Box, ...] = ()


def picture(tile: Tile, dataset: str) -> str:
    """A tile's file name in figures/."""
    return f"{unique_slug(dataset)}-{tile.index}.png"


@dataclass(frozen=True)
class LabelErrors:
    """A recipe's accuracy on all test images, and without those known to be labelled wrongly.

    `agreed` is how many of these `errors` wrong labels it predicted, on average over seeds.
    """

    label: str
    accuracy: float
    _: KW_ONLY
    without: float
    agreed: float
    errors: int


def tiles(
    recipes: Sequence[RecipeEvidence], split: Mapping[str, NDArray[Any]], dataset: DatasetRecord
) -> tuple[Tile, ...]:
    """Misclassified images: those that most models get wrong first, then each model's own.

    `recipes` have results; those that predicted other images than the first of them are left out.
    """
    ready = [recipe for recipe in recipes if np.array_equal(recipe.index, recipes[0].index)]
    wrong = np.array([1 - recipe.correct.mean(axis=0) for recipe in ready])
    missed = wrong > 0.5
    index = ready[0].index
    names = dataset["class_names"]
    place = {int(where): at for at, where in enumerate(split["index"])}
    known = set(dataset.get("known_label_errors", ()))
    called = split.get("names")
    found = []
    chosen: dict[int, int] = {}
    for at in _chosen(ready, wrong, missed):
        chosen.setdefault(int(index[at]), at)  # several splits may test an image, which is shown once
    for image, at in chosen.items():
        if image not in place:
            raise StoreError(f"{dataset['label']}: the stored test split lacks image {image}, which was predicted")
        misses = tuple(_miss(recipe, at, names) for number, recipe in enumerate(ready) if missed[number, at])
        found.append(
            Tile(
                image,
                names[int(ready[0].labels[at])],
                known_error=image in known,
                misses=misses,
                right=len(ready) - len(misses),
                png=png(split["images"][place[image]]),
                name=visible(str(called[place[image]])) if called is not None else f"№ {image}",
                suspect=_is_suspect(misses, len(ready)),
                boxes=tuple(_boxes(ready, at)),
            )
        )
    return tuple(found)


def _chosen(ready: Sequence[RecipeEvidence], wrong: NDArray[np.float64], missed: NDArray[np.bool_]) -> list[int]:
    """The columns of the images to show; `wrong` is the share of seeds, `missed` whether they are most, by recipe."""
    order = np.lexsort((ready[0].index, -wrong.sum(axis=0), -missed.sum(axis=0)))
    chosen = [int(at) for at in order[:SHARED] if missed[:, at].any()]
    if len(ready) > 1:
        for number, recipe in enumerate(ready[:OWN_MODELS]):
            if recipe.confidence is None:
                continue
            sure = np.where(recipe.correct, 0.0, recipe.confidence).mean(axis=0)
            own = np.argsort(-(sure * missed[number]), kind="stable")[: SHARED // 2]
            chosen += [int(at) for at in own if missed[number, at] and int(at) not in chosen][:OWN]
    return chosen


def _is_suspect(misses: Sequence[Miss], recipes: int) -> bool:
    """Whether most of several recipes take an image for the same other class, and are sure of that."""
    sure = Counter(one.predicted for one in misses if one.probability is not None and one.probability >= SURE)
    return recipes > 1 and max(sure.values(), default=0) > recipes / 2


def _boxes(recipes: Sequence[RecipeEvidence], at: int) -> Iterator[Box]:
    for recipe in recipes:
        if recipe.boxes is not None:
            left, top, right, bottom = (round(100 * float(side), 1) for side in recipe.boxes[at])
            if right > left and bottom > top:
                yield Box(recipe.label, left, top=top, width=round(right - left, 1), height=round(bottom - top, 1))


def _miss(recipe: RecipeEvidence, at: int, names: Sequence[str]) -> Miss:
    wrong = ~recipe.correct[:, at]
    said = recipe.predicted[wrong, at]
    most = int(np.bincount(said).argmax())
    sure = None if recipe.confidence is None else float(recipe.confidence[wrong, at][said == most].mean())
    return Miss(recipe.label, names[most], probability=sure, wrong=int(wrong.sum()), seeds=len(recipe.correct))


def png(image: NDArray[np.uint8]) -> str:
    """An image `(C, H, W)` as PNG, base64; "" where the run was given no images, so that it has no pixels."""
    from PIL import Image

    if not image.size:
        return ""

    shown = Image.fromarray(pixels(image))
    if max(shown.size) > LARGEST:
        shown.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    shown.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def pixels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image `(C, H, W)` to be shown: grey `(H, W)` for one channel, `(H, W, 3)` for three, else their mean."""
    if image.ndim != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise StoreError(f"a stored test image has shape {image.shape} and type {image.dtype}; wanted uint8 (C, H, W)")
    if image.shape[0] == 3:
        return np.ascontiguousarray(np.moveaxis(image, 0, -1))
    return image[0] if image.shape[0] == 1 else image.mean(axis=0).astype(np.uint8)


def label_errors(recipes: Sequence[RecipeEvidence], dataset: DatasetRecord) -> tuple[LabelErrors, ...]:
    """Accuracy with and without the test images known to be labelled wrongly; empty where none is known."""
    known = np.array(sorted(dataset.get("known_label_errors", ())), dtype=np.int64)
    found = []
    for recipe in recipes:
        doubtful = np.isin(recipe.index, known)
        errors = np.unique(recipe.index[doubtful]).size
        if errors and not doubtful.all():
            agreed = float(recipe.correct[:, doubtful].mean()) * errors
            without = float(recipe.correct[:, ~doubtful].mean())
            found.append(LabelErrors(recipe.label, recipe.accuracy, without=without, agreed=agreed, errors=errors))
    return tuple(found)


def answer(tiles: Sequence[Tile]) -> str:
    """How many of the images that are shown every model gets wrong, of those that predicted these test images."""
    if not tiles:
        return "No test image is got wrong by most seeds of any model."
    known = sum(tile.known_error for tile in tiles)
    all_wrong = sum(tile.right == 0 for tile in tiles)
    one = len(tiles) == 1
    if tiles[0].right + len(tiles[0].misses) == 1:
        who = "most seeds get" if any(miss.seeds > 1 for miss in tiles[0].misses) else "the model gets"
        said = f"Shown {'is' if one else 'are'} {plural(len(tiles), 'image')} that {who} wrong"
    elif all_wrong:
        said = f"{plural(all_wrong, 'image')} of those below {'is' if all_wrong == 1 else 'are'} wrong for every model"
    else:
        what = "the one below is" if one else "those below are"
        said = f"No image is wrong for every model; {what} wrong for one at least"
    if known:
        said += f"; {known} of those shown {'is' if known == 1 else 'are'} known to be labelled wrongly"
    suspect = sum(tile.suspect and not tile.known_error for tile in tiles)
    if suspect:
        have = "has a suspect label" if suspect == 1 else "have suspect labels"
        said += f"; {suspect} of those shown {have}: most models are sure ({100 * SURE:g} %) of one other class"
    return said + "."


def label_error_answer(found: Sequence[LabelErrors]) -> str:
    """What the known label errors do to the accuracy of the model with the highest mean."""
    if not found:
        return ""
    best = found[0]
    known = f"{plural(best.errors, 'test image')} {'is' if best.errors == 1 else 'are'} known to be labelled wrongly"
    without, before = percent(best.without), percent(best.accuracy)
    rest = "as well" if without == before else f"instead of {before}"
    return f"{known}. Without {'it' if best.errors == 1 else 'them'} {best.label} has {without} {rest}."
