"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence


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
    """The most frequent confusion over all models."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    if not ready:
        return "No trial has finished."
    total = np.mean([recipe.confusion / len(recipe.correct) for recipe in ready], axis=0)
    wrong = [(float(total[t, p]), t, p) for t in range(len(total)) for p in range(len(total)) if t != p]
    most, true, predicted = max(wrong, default=(0.0, 0, 0))
    if not most:
        return "No test image was taken for another class."
    of = int(ready[0].confusion[true].sum() / len(ready[0].correct))
    return (
        f"Most often, {class_names[true]} is taken for {class_names[predicted]}: "
        f"{most:.1f} of {of:,} times, on average over models."
    )
