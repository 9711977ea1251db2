"""Accuracy against training time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import names, seconds
from mnistarena.stats.intervals import Interval


@dataclass(frozen=True)
class TimePoint:
    """A recipe's training time (s: mean, least, most) and accuracy; `front`: on the Pareto front of the two."""

    label: str
    seconds: float
    _: KW_ONLY
    fastest: float
    slowest: float
    accuracy: Interval
    front: bool


def times(recipes: Sequence[RecipeEvidence]) -> tuple[TimePoint, ...]:
    """The training time and accuracy of each recipe that has both."""
    timed = [(recipe, recipe.values("train_seconds")) for recipe in recipes if recipe.interval]
    timed = [(recipe, values) for recipe, values in timed if values and min(values) > 0]
    places = [(recipe.accuracy, sum(values) / len(values)) for recipe, values in timed]
    return tuple(
        TimePoint(
            recipe.label,
            mean,
            fastest=min(values),
            slowest=max(values),
            accuracy=recipe.interval,
            front=not any(a >= accuracy and s <= mean and (a, s) != (accuracy, mean) for a, s in places),
        )
        for (recipe, values), (accuracy, mean) in zip(timed, places, strict=True)
        if recipe.interval
    )


def answer(points: Sequence[TimePoint], mixed: Sequence[str]) -> str:
    """Which models no other beats in both mean time and mean accuracy: a description, no test."""
    front = sorted((point for point in points if point.front), key=lambda point: point.seconds)
    if not front:
        return "No training time was recorded."
    if mixed:
        return "The trials ran under different conditions, so their times are shown but not ranked."
    shown = names((f"{point.label} ({seconds(point.seconds)})" for point in front), room=150)
    if len(points) == 1:
        return f"{shown} is the only model with a training time."
    if len(front) == 1:
        return f"In this run no other model is faster to train, or more accurate, than {shown}, by means alone."
    if len(front) == len(points):
        return f"In this run no model is behind another in both mean time and mean accuracy: {shown}."
    return f"In this run, by means alone, each other model is neither faster nor more accurate than one of {shown}."
