"""How well the models' probabilities agree with how often they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import names, points
from mnistarena.stats import calibration
from mnistarena.stats.gaps import Gap, gaps
from mnistarena.stats.intervals import ALPHA, exact
from mnistarena.text import plural

LEAST_IMAGES = 10
"""A bin with fewer images of a seed than this is not a point of the curve."""


class ReliabilityPoint(NamedTuple):
    """Images of similar confidence: stated error, actual error with its 95 % interval, images a seed.

    The interval is exact, over one seed's images.
    """

    stated: float
    wrong: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Reliability:
    """The quality of a recipe's probabilities; means over its finished seeds.

    `gap` is confidence minus accuracy: above 0, the model is overconfident. `ece_chance` is about the calibration error
    that exactly true confidences would show on so few images.
    """

    label: str
    points: tuple[ReliabilityPoint, ...]
    _: KW_ONLY
    log_loss: float
    brier: float
    ece: float
    ece_chance: float
    gap: Gap


def reliabilities(recipes: Sequence[RecipeEvidence]) -> tuple[Reliability, ...]:
    """Scores of the probabilities, and the reliability curve over all finished seeds, of the models that give any."""
    able = [(recipe, recipe.confidence) for recipe in recipes if recipe.confidence is not None]
    # Over several splits an image may be there more than once, which the test does not know.
    tested = iter(gaps([(confidence, recipe.correct) for recipe, confidence in able if recipe.layout is None]))
    return tuple(
        _reliability(recipe, confidence, next(tested) if recipe.layout is None else _untested(recipe, confidence))
        for recipe, confidence in able
    )


def _untested(recipe: RecipeEvidence, confidence: NDArray[np.float32]) -> Gap:
    gap = float(confidence.mean() - recipe.correct.mean())
    return Gap(gap, float("nan"), high=float("nan"), p=1.0)


def _reliability(recipe: RecipeEvidence, confidence: NDArray[np.float32], gap: Gap) -> Reliability:
    seeds = recipe.correct.size / np.unique(recipe.index).size  # answers to an image, which several splits may test
    points = []
    for found in calibration.reliability(confidence.ravel(), recipe.correct.ravel()):
        images = round(found.images / seeds)
        if images >= LEAST_IMAGES:
            ends = exact(round(found.wrong * images), images)
            low, high = min(ends.low, found.wrong), max(ends.high, found.wrong)
            points.append(ReliabilityPoint(found.stated, found.wrong, low, high, images))
    scores = recipe.scores
    return Reliability(
        recipe.label,
        tuple(points),
        log_loss=_mean([one.log_loss for one in scores]),
        brier=_mean([one.brier for one in scores]),
        ece=_mean([one.ece for one in scores]),
        ece_chance=_mean([calibration.chance_error(row) for row in confidence]),
        gap=gap,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def answer(found: Sequence[Reliability], recipes: Sequence[RecipeEvidence]) -> str:
    """The lowest log loss, which models a test shows to be over- or underconfident, and which have no probabilities."""
    without = [recipe.label for recipe in recipes if recipe.confidence is None]
    said = f"No probabilities, so no such figures: {names(without)}." if without else ""
    if not found:
        return said or "No trial has finished."
    parts = [_log_loss(found)]
    shown = [one for one in found if one.gap.p < ALPHA]
    for what, those in (
        ("Surer than right", [one for one in shown if one.gap.estimate > 0]),
        ("Less sure than right", [one for one in shown if one.gap.estimate < 0]),
    ):
        if those:
            parts.append(f"{what}: {names(f'{one.label} ({points(one.gap.estimate)})' for one in those)}.")
    if not shown and all(recipe.layout is None for recipe in recipes):
        parts.append("No model's confidence is shown to differ from its accuracy.")
    if shown and len(found) > 1:
        parts.append(f"Tested with Holm's correction over {plural(len(found), 'model')}.")
    return " ".join([*parts, said]).strip()


def _log_loss(found: Sequence[Reliability]) -> str:
    """Who has the lowest mean log loss, as a description."""
    best = min(one.log_loss for one in found)
    first = [one.label for one in found if one.log_loss == best]
    if len(found) == 1:
        return f"{first[0]} has a log loss of {best:.4f}."
    if len(first) == len(found):
        return f"All have the log loss {best:.4f}."
    return f"In this run {names(first)} {'has' if len(first) == 1 else 'have'} the lowest mean log loss, {best:.4f}."
