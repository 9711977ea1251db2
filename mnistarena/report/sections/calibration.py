"""How well the models' probabilities agree with how often they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import series
from mnistarena.stats import calibration
from mnistarena.stats.intervals import wilson

LEAST_IMAGES = 10
"""A bin with fewer images of a seed than this is not a point of the curve."""
_GAP = 0.005
"""A mean confidence that differs from the accuracy by more than this is reported."""


class ReliabilityPoint(NamedTuple):
    """Images of similar confidence: stated error, actual error with its 95 % interval, images a seed.

    The interval is Wilson's, over one seed's images.
    """

    stated: float
    wrong: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Reliability:
    """The quality of a recipe's probabilities; means over its finished seeds.

    `gap` is confidence minus accuracy: above 0, the model is overconfident.
    """

    label: str
    points: tuple[ReliabilityPoint, ...]
    _: KW_ONLY
    log_loss: float
    brier: float
    ece: float
    gap: float


def reliability(recipe: RecipeEvidence) -> Reliability | None:
    """Scores of the probabilities, and the reliability curve over all finished seeds; None of a model without."""
    if recipe.confidence is None:
        return None
    seeds = recipe.correct.size / np.unique(recipe.index).size  # answers to an image, which several splits may test
    points = []
    for found in calibration.reliability(recipe.confidence.ravel(), recipe.correct.ravel()):
        images = round(found.images / seeds)
        if images >= LEAST_IMAGES:
            ends = wilson(round(found.wrong * images), images)
            low, high = min(ends.low, found.wrong), max(ends.high, found.wrong)
            points.append(ReliabilityPoint(found.stated, found.wrong, low, high, images))
    scores = recipe.scores
    return Reliability(
        recipe.label,
        tuple(points),
        log_loss=_mean([one.log_loss for one in scores]),
        brier=_mean([one.brier for one in scores]),
        ece=_mean([one.ece for one in scores]),
        gap=_mean([one.confidence for one in scores]) - _mean([one.accuracy for one in scores]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def answer(found: Sequence[Reliability], recipes: Sequence[RecipeEvidence]) -> str:
    """The lowest log loss, which models are over- or underconfident, and which have no probabilities."""
    without = [recipe.label for recipe in recipes if recipe.confidence is None]
    said = f"No probabilities, so no such figures: {series(without)}." if without else ""
    if not found:
        return said or "No trial has finished."
    best = min(found, key=lambda one: one.log_loss)
    what = "the lowest log loss," if len(found) > 1 else "a log loss of"
    parts = [f"{best.label} has {what} {best.log_loss:.4f}"]
    over = [one.label for one in found if one.gap > _GAP]
    under = [one.label for one in found if one.gap < -_GAP]
    parts += [f"overconfident: {series(over)}"] if over else []
    parts += [f"underconfident: {series(under)}"] if under else []
    return "; ".join(parts) + "." + (f" {said}" if said else "")
