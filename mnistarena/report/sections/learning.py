"""Learning curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import names, percent, points

Curve = Literal["validation_accuracy", "validation_loss", "train_loss"]
"""A column of a trial's history that is drawn."""

CURVES: tuple[Curve, ...] = ("validation_accuracy", "validation_loss", "train_loss")

_GAIN = 0.002
"""A last epoch that adds more accuracy than this shows a training that could have gone on."""


@dataclass(frozen=True)
class CurvePoint:
    """A figure at the end of an epoch: the mean over seeds, their lowest and highest.

    `at_once`: the model is fitted without epochs.
    """

    label: str
    epoch: float
    _: KW_ONLY
    mean: float
    low: float
    high: float
    at_once: bool = False


def curves(recipes: Sequence[RecipeEvidence]) -> dict[Curve, tuple[CurvePoint, ...]]:
    """Every curve of `CURVES`: a point a recipe and epoch."""
    values: dict[Curve, dict[tuple[str, float], list[float]]] = {name: defaultdict(list) for name in CURVES}
    for recipe in recipes:
        for trial in recipe.done:
            for line in trial.history():
                for name in CURVES:
                    if (value := line.get(name)) is not None and np.isfinite(value):
                        values[name][recipe.label, line["epoch"]].append(float(value))
    at_once = {recipe.label for recipe in recipes if _is_fitted_at_once(recipe)}
    order = {recipe.label: at for at, recipe in enumerate(recipes)}
    return {
        name: tuple(
            CurvePoint(
                label,
                epoch,
                mean=sum(found) / len(found),
                low=min(found),
                high=max(found),
                at_once=label in at_once,
            )
            for (label, epoch), found in sorted(lines.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        )
        for name, lines in values.items()
    }


def _is_fitted_at_once(recipe: RecipeEvidence) -> bool:
    """Whether a recipe's training has neither epochs nor steps."""
    training = recipe.entry.get("training") or {}
    return not training.get("epochs") and not training.get("steps")


def answer(curves: Mapping[Curve, Sequence[CurvePoint]]) -> str:
    """The highest validation accuracy at the end, and which models still gained in their last epoch."""
    lines: dict[str, list[float]] = defaultdict(list)
    for point in curves["validation_accuracy"]:
        lines[point.label].append(point.mean)
    if not lines:
        if curves["train_loss"]:
            return "There was no validation split; the training loss alone shows how each model learned."
        return "No epochs were recorded: these models learn in one step."
    best = max(line[-1] for line in lines.values())
    first = [label for label, line in lines.items() if line[-1] == best]
    text = f"In this run {names(first)} {'ends' if len(first) == 1 else 'end'} highest on the validation images, "
    if len(lines) == 1:
        text = f"{first[0]} ends on the validation images "
    text += f"at {percent(best)}"
    gains = {label: line[-1] - line[-2] for label, line in lines.items() if len(line) > 1}
    late = [f"{label} ({points(gain)})" for label, gain in gains.items() if gain > _GAIN]
    return text + (
        f"; still gaining in the last epoch: {names(late)}."
        if late
        else f"; no model gained more than {points(_GAIN, 1)} in its last epoch."
    )
