"""Which classes are taken for which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.text import plural


@dataclass(frozen=True)
class Matrix:
    """A recipe's confusions, summed over its finished seeds; `top`: (true, predicted, count), most frequent first.

    `recall` is each class's share of images recognised, None for a class without test images.
    """

    label: str
    seeds: int
    _: KW_ONLY
    counts: tuple[tuple[int, ...], ...]
    top: tuple[tuple[str, str, int], ...]
    recall: tuple[float | None, ...]

    @cached_property
    def most(self) -> int:
        """The most frequent confusion's count, at least 1."""
        return max((n for t, row in enumerate(self.counts) for p, n in enumerate(row) if t != p), default=0) or 1

    def ink(self, number: int) -> int:
        """How dark the cell of a confusion is drawn, in percent: by the square root of its count."""
        return round(12 + 88 * math.sqrt(number / self.most))


@dataclass(frozen=True)
class Contrast:
    """How much more often recipe `a` takes a class for another than recipe `b` does, in images of a trained model.

    `cells` `(classes, classes)`, true class by predicted; 0 on the diagonal. Counts, with no test of them.
    """

    a: Matrix
    b: Matrix

    @cached_property
    def cells(self) -> tuple[tuple[float, ...], ...]:
        """The differences of the means over seeds."""
        rows = zip(self.a.counts, self.b.counts, strict=True)
        return tuple(
            tuple(
                0.0 if true == at else first / self.a.seeds - second / self.b.seeds
                for at, (first, second) in enumerate(zip(*row, strict=True))
            )
            for true, row in enumerate(rows)
        )

    @cached_property
    def most(self) -> float:
        """The largest difference either way; 1 where there is none."""
        return max((abs(value) for row in self.cells for value in row), default=0.0) or 1.0

    def ink(self, value: float) -> int:
        """How much of its colour a cell has, in percent: text on it stays readable."""
        return math.floor(12.5 + 28 * math.sqrt(abs(value) / self.most))

    def said(self, value: float) -> str:
        """A difference with its sign, to a tenth of an image; halves are rounded up."""
        whole = self.a.seeds == self.b.seeds == 1
        size = f"{abs(value):.0f}" if whole else f"{math.floor(10 * abs(value) + 0.5) / 10:.1f}"
        return ("+" if value > 0 else "−") + size


def matrix(recipe: RecipeEvidence, class_names: Sequence[str]) -> Matrix:
    """A recipe's confusions and its recall of each class."""
    counts = recipe.confusion
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:5]
    cells = [(int(at) // len(counts), int(at) % len(counts)) for at in order]
    top = tuple((class_names[t], class_names[p], int(wrong[t, p])) for t, p in cells if wrong[t, p] > 0)
    totals, hits = counts.sum(axis=1), np.diag(counts)
    recall = tuple(float(hit / total) if total else None for hit, total in zip(hits, totals, strict=True))
    return Matrix(
        recipe.label, len(recipe.correct), counts=tuple(tuple(map(int, row)) for row in counts), top=top, recall=recall
    )


def answer(recipes: Sequence[RecipeEvidence], class_names: Sequence[str]) -> str:
    """The most frequent confusion, counted over all trained models."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    if not ready:
        return "No trial has finished."
    total = np.sum([recipe.confusion for recipe in ready], axis=0)
    wrong = total - np.diag(np.diag(total))
    most = int(wrong.max())
    if not most:
        return "No test image was taken for another class."
    cells = np.argwhere(wrong == most)
    true, predicted = map(int, cells[0])
    models = sum(len(recipe.correct) for recipe in ready)
    of = int(total[true].sum())
    where = f"over all {models} trained models" if models > 1 else "by the one trained model"
    said = f"Most often, {class_names[true]} is taken for {class_names[predicted]}: {most:,} of {of:,} times, {where}"
    others = len(cells) - 1
    if others:
        said += f"; {plural(others, 'other confusion')} {'is' if others == 1 else 'are'} as frequent"
    return f"{said}."
