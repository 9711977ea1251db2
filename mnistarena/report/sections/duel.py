"""Two models, image by image: who is right where, and the images themselves in one picture that travels in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import VERBS, Pair
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import p_value, percent
from mnistarena.report.sections.gallery import pixels
from mnistarena.store.records import DatasetRecord
from mnistarena.text import plural, visible

BUDGET = 400_000
"""Characters that the pictures of all datasets may take in the page."""
MOST_MODELS, MOST_IMAGES = 12, 600
SIDE = 40
"""Larger images are made that small, in pixels."""
COLUMNS = 30
"""Images in a row of the picture."""


class DuelImage(TypedDict):
    """An image; of each model whether most of its seeds are right, its most frequent class, and how sure it is."""

    name: str
    true: int
    right: list[int]
    said: list[int]
    sure: list[int]


class DuelPayload(TypedDict):
    """What the page's script needs; pairs of models are texts of their two numbers."""

    models: tuple[str, ...]
    classes: tuple[str, ...]
    total: int
    columns: int
    tile: tuple[int, int]
    counts: dict[str, tuple[int, int, int, int]]
    sentences: dict[str, str]
    images: list[DuelImage]


@dataclass(frozen=True)
class Duel:
    """Recipes on the same test images. `right` is bool `(models, n)`: whether most seeds are.

    `shown` are the columns whose images are in `picture`, errors of the best models first: a PNG or WebP in base64,
    `tile` (width, height) pixels an image. `said` and `sure` `(models, n)` are each model's most frequent class
    and the mean probability of it in percent, -1 where it gives none.
    """

    models: tuple[str, ...]
    classes: tuple[str, ...]
    _: KW_ONLY
    names: tuple[str, ...]
    true: NDArray[np.int64]
    right: NDArray[np.bool_]
    said: NDArray[np.int64]
    sure: NDArray[np.int64]
    shown: NDArray[np.int64]
    picture: str
    kind: str
    tile: tuple[int, int]
    sentences: Mapping[tuple[str, str], str]

    @cached_property
    def payload(self) -> DuelPayload:
        """What the page's script needs, as plain data."""
        places = range(len(self.models))
        return {
            "models": self.models,
            "classes": self.classes,
            "total": self.right.shape[1],
            "columns": COLUMNS,
            "tile": self.tile,
            "counts": {f"{a} {b}": self.quadrants(a, b) for a in places for b in places if a != b},
            "sentences": {
                f"{self.models.index(a)} {self.models.index(b)}": text for (a, b), text in self.sentences.items()
            },
            "images": [
                {
                    "name": self.names[at],
                    "true": int(self.true[at]),
                    "right": self.right[:, at].astype(int).tolist(),
                    "said": self.said[:, at].tolist(),
                    "sure": self.sure[:, at].tolist(),
                }
                for at in self.shown
            ],
        }

    def quadrants(self, a: int, b: int) -> tuple[int, int, int, int]:
        """How many images both get right, only a, only b, neither."""
        one, other = self.right[a], self.right[b]
        return tuple(int((x & y).sum()) for x, y in ((one, other), (one, ~other), (~one, other), (~one, ~other)))  # type: ignore[return-value]


def duel(
    ranked: Sequence[RecipeEvidence],
    pairs: Sequence[Pair],
    split: Mapping[str, NDArray[Any]],
    dataset: DatasetRecord,
    *,
    figure: Figure,
    datasets: int,
) -> Duel | None:
    """The recipes that predicted the same test images as the best one; None of fewer than two.

    So many `datasets` share the room for pictures.
    """
    ready = [recipe for recipe in ranked if recipe.correct.size]
    ready = [recipe for recipe in ready if np.array_equal(recipe.index, ready[0].index)][:MOST_MODELS]
    if len(ready) < 2:
        return None
    # An image that several splits test counts once, as it was tested first.
    classes = dataset["class_names"]
    index, columns = np.unique(ready[0].index, return_index=True)
    right = np.array([recipe.correct[:, columns].mean(axis=0) > 0.5 for recipe in ready])
    said, sure = zip(*(_said(recipe, columns, len(classes)) for recipe in ready), strict=True)
    place = {int(row): at for at, row in enumerate(split["index"])}
    # The error of a model that makes few tells more, and one that not all make.
    weight = (~right / np.maximum((~right).sum(axis=1, keepdims=True), 1)).sum(axis=0) * (1 + right.any(axis=0))
    order = np.lexsort((index, -weight))
    order = np.array([at for at in order if not right[:, at].all() and int(index[at]) in place], np.int64)[:MOST_IMAGES]
    images = [image for at in order if (image := split["images"][place[int(index[at])]]).size]
    shown, picture, kind, tile = _sprite(images, BUDGET // datasets)
    called = split.get("names")
    names = [visible(str(called[place[int(row)]])) if called is not None else f"№ {row}" for row in index]
    labels = [recipe.label for recipe in ready]
    return Duel(
        tuple(labels),
        tuple(classes),
        names=tuple(names),
        true=ready[0].labels[columns],
        right=right,
        said=np.array(said),
        sure=np.array(sure),
        shown=order[:shown],
        picture=picture,
        kind=kind,
        tile=tile,
        sentences=_sentences(labels, pairs, figure),
    )


def _said(recipe: RecipeEvidence, columns: NDArray[np.int64], n_classes: int) -> tuple[list[int], list[int]]:
    """The class that most seeds predict of each image, and its mean probability in percent."""
    predicted = recipe.predicted[:, columns]
    votes = np.zeros((len(columns), n_classes), np.int64)
    np.add.at(votes, (np.arange(len(columns)), predicted), 1)
    said = votes.argmax(axis=1)
    if recipe.confidence is None:
        return said.tolist(), [-1] * len(said)
    agree = predicted == said
    sure = np.where(agree, recipe.confidence[:, columns], 0).sum(axis=0) / agree.sum(axis=0)
    return said.tolist(), np.rint(100 * sure).astype(int).tolist()


def _sprite(images: Sequence[NDArray[np.uint8]], budget: int) -> tuple[int, str, str, tuple[int, int]]:
    """As many images as the budget allows in one picture: their number, it in base64, its type, the size of each."""
    from PIL import Image, features

    count = len(images)
    while count:
        tiles = [Image.fromarray(pixels(image)) for image in images[:count]]
        for tile in tiles:
            tile.thumbnail((SIDE, SIDE))
        width, height = tiles[0].size
        whole = Image.new(tiles[0].mode, (COLUMNS * width, -(-count // COLUMNS) * height))
        for at, tile in enumerate(tiles):
            whole.paste(tile, (at % COLUMNS * width, at // COLUMNS * height))
        stream, lossless = io.BytesIO(), whole.mode == "L" or not features.check("webp")
        whole.save(stream, "PNG" if lossless else "WEBP", quality=80)  # a PNG has no quality
        if (size := 4 * len(stream.getvalue()) // 3) <= budget:
            kind = "png" if lossless else "webp"
            return count, base64.b64encode(stream.getvalue()).decode("ascii"), kind, (width, height)
        count = min(count - 1, int(0.95 * count * budget / size))
    return 0, "", "png", (1, 1)


def _sentences(labels: Sequence[str], pairs: Sequence[Pair], figure: Figure) -> dict[tuple[str, str], str]:
    """What is known of each pair, seen from either side."""
    found = {(one.a, one.b): one for pair in pairs for one in (pair, pair.seen_from(pair.b))}
    said = {}
    for a, b in (pair for one in combinations(labels, 2) for pair in (one, one[::-1])):
        pair = found.get((a, b))
        if pair is None:
            continue
        text = f"{a} is {VERBS[pair.verdict]} {b}"
        if pair.difference is not None:
            low, high = (wording.difference(end, figure) for end in (pair.difference.low, pair.difference.high))
            text += f": {wording.difference(pair.difference.estimate, figure)}, 95 % interval {low} to {high}"
            text += f", {p_value(pair.p_adjusted)}" if pair.p_adjusted is not None else ""
            if pair.superiority is not None:
                text += f"; a seed of {a} beats one of {b} in {percent(pair.superiority, 0)} of pairs"
        elif pair.reason:
            text += f": {pair.reason}"
        said[a, b] = f"{text}."
    return said


def answer(found: Duel | None) -> str:
    """How many of the images on which models differ travel in the page."""
    if found is None:
        return ""
    apart = int((~found.right.all(axis=0)).sum())
    if not apart:
        return f"All of the {len(found.models)} models get every test image right."
    said = f"At least one model is wrong on {plural(apart, 'test image')} of {found.right.shape[1]:,}"
    if not found.picture:
        return f"{said}."
    if len(found.shown) == apart:
        return f"{said}; this page holds {'it' if apart == 1 else 'all of them'}."
    return f"{said}; this page holds {len(found.shown):,} of them, first those that the best models get wrong."
