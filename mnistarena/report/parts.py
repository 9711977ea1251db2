"""The parts of a comparison, computed from its recipes: leaderboard rows, curves, times, confusions, costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistarena import calibration
from mnistarena.report.evidence import CurvePoint, Pair, Recipe
from mnistarena.report.style import Style
from mnistarena.results import TrialResult
from mnistarena.statistics import Interval, wilson

CURVES = ("validation_accuracy", "validation_loss", "train_loss")
LEAST_IMAGES = 10
"""Fewer images of a seed than this make no point of a reliability curve."""


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard. Times (s) and `metrics` are means over the finished seeds.

    `place` is the best and the worst that the verdicts over all pairs leave; None where it cannot be compared.

    `interval_of`: "seeds" and "images" speak of the recipe, "one trained model" of that model only.
    `verdict` is on this recipe against the reference; None for the reference itself.
    """

    label: str
    model: str
    style: Style
    seeds: int
    finished: int
    accuracy: Interval | None
    interval_of: str
    seed_accuracies: tuple[float, ...]
    metrics: tuple[float | None, ...]
    train_seconds: float | None
    wall_seconds: float | None
    parameters: float | None
    against: Pair | None
    verdict: str | None
    place: tuple[int, int] | None


@dataclass(frozen=True)
class TimePoint:
    """A recipe's place between training time (s: mean, least, most) and accuracy; `front`: Pareto-best."""

    label: str
    seconds: float
    fastest: float
    slowest: float
    accuracy: Interval
    front: bool


@dataclass(frozen=True)
class Matrix:
    """A recipe's confusions, summed over its finished seeds; `top`: (true, predicted, count), worst first.

    `recall` is each class's share of images recognised, None for a class without test images.
    """

    label: str
    seeds: int
    counts: tuple[tuple[int, ...], ...]
    top: tuple[tuple[str, str, int], ...]
    recall: tuple[float | None, ...]


@dataclass(frozen=True)
class Reliability:
    """How far a recipe's probabilities can be believed; means over its finished seeds.

    `points`: stated error, actual error, the ends of its 95 % interval (Wilson's, of one seed's images), and
    images a seed. `gap` is confidence minus accuracy: above 0, the model is surer than it may be.
    """

    label: str
    points: tuple[tuple[float, float, float, float, int], ...]
    log_loss: float
    brier: float
    ece: float
    gap: float


@dataclass(frozen=True)
class Cost:
    """What a recipe costs, means over its finished seeds; `latency` maps a batch size to (p50, p95) in ms."""

    label: str
    parameters: float | None
    trainable: float | None
    flops: float | None
    latency: dict[str, tuple[float | None, float | None]]
    memory: float | None
    gpu_memory: float | None
    images_per_second: float | None
    train_seconds: float | None
    wall_seconds: float | None


@dataclass(frozen=True)
class Failure:
    """A trial that has no result, and why."""

    label: str
    dataset: str
    seed: int
    status: str
    type: str
    message: str
    traceback: str


def row(
    recipe: Recipe,
    pairs: list[Pair],
    reference: str | None,
    metrics: tuple[dict[str, Any], ...],
    looks: dict[str, Style],
    ranks: dict[str, tuple[int, int]],
) -> Row:
    """The line of a recipe, seen against the reference."""
    against = next((p.seen_from(recipe.label) for p in pairs if {p.a, p.b} == {recipe.label, reference}), None)
    verdict = against.verdict if against else ("reference" if recipe.label == reference else None)
    return Row(
        label=recipe.label,
        model=str(recipe.entry.get("model", recipe.label)),
        style=looks[recipe.label],
        seeds=len(recipe.trials),
        finished=len(recipe.done),
        accuracy=recipe.interval,
        interval_of=recipe.interval_of,
        seed_accuracies=tuple(float(value) for value in recipe.correct.mean(axis=1)) if recipe.correct.size else (),
        metrics=tuple(recipe.metric(metric["label"]) for metric in metrics),
        train_seconds=recipe.mean("train_seconds"),
        wall_seconds=recipe.mean("wall_seconds"),
        parameters=recipe.mean("parameters"),
        against=against,
        verdict=verdict,
        place=ranks.get(recipe.label),
    )


def curves(recipes: list[Recipe]) -> dict[str, tuple[CurvePoint, ...]]:
    """Every curve of `CURVES`: a point a recipe and epoch."""
    values: dict[str, dict[tuple[str, float], list[float]]] = {name: defaultdict(list) for name in CURVES}
    for recipe in recipes:
        for trial in recipe.done:
            for line in trial.history():
                for name in CURVES:
                    if (value := line.get(name)) is not None and np.isfinite(value):
                        values[name][recipe.label, line["epoch"]].append(float(value))
    order = {recipe.label: at for at, recipe in enumerate(recipes)}
    return {
        name: tuple(
            CurvePoint(label, epoch, sum(found) / len(found), min(found), max(found))
            for (label, epoch), found in sorted(points.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        )
        for name, points in values.items()
    }


def times(recipes: list[Recipe]) -> tuple[TimePoint, ...]:
    """Each recipe's place between time and accuracy."""
    timed = [(recipe, recipe.values("train_seconds")) for recipe in recipes if recipe.interval]
    timed = [(recipe, values) for recipe, values in timed if values and min(values) > 0]
    places = [(recipe.accuracy, sum(values) / len(values)) for recipe, values in timed]
    return tuple(
        TimePoint(
            recipe.label,
            seconds,
            min(values),
            max(values),
            recipe.interval,
            not any(a >= accuracy and s <= seconds and (a, s) != (accuracy, seconds) for a, s in places),
        )
        for (recipe, values), (accuracy, seconds) in zip(timed, places, strict=True)
        if recipe.interval
    )


def matrix(recipe: Recipe, class_names: list[str]) -> Matrix:
    """A recipe's confusions and its recall a class."""
    counts = recipe.confusion
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:5]
    cells = [(int(at) // len(counts), int(at) % len(counts)) for at in order]
    top = tuple((class_names[t], class_names[p], int(wrong[t, p])) for t, p in cells if wrong[t, p] > 0)
    totals, hits = counts.sum(axis=1), np.diag(counts)
    recall = tuple(float(hit / total) if total else None for hit, total in zip(hits, totals, strict=True))
    return Matrix(recipe.label, len(recipe.correct), tuple(tuple(map(int, row)) for row in counts), top, recall)


def reliability(recipe: Recipe) -> Reliability:
    """Scores of the probabilities, and the reliability curve over all finished seeds."""
    seeds = len(recipe.correct)
    points = []
    for found in calibration.reliability(recipe.confidence.ravel(), recipe.correct.ravel()):
        images = round(found.images / seeds)
        if images >= LEAST_IMAGES:
            ends = wilson(round(found.wrong * images), images)
            points.append((found.stated, found.wrong, min(ends.low, found.wrong), max(ends.high, found.wrong), images))

    def mean(score: str) -> float:
        return float(np.mean([scores[score] for scores in recipe.scores]))

    gap = mean("confidence") - mean("accuracy")
    return Reliability(recipe.label, tuple(points), mean("log_loss"), mean("brier"), mean("ece"), gap)


def cost(recipe: Recipe) -> Cost:
    """What a recipe costs."""
    latency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in recipe.done:
        for batch, figures in (trial.measurements.get("latency_ms") or {}).items():
            latency[batch].append(figures or {})

    def mean(figures: list[dict[str, Any]], key: str) -> float | None:
        values = [f[key] for f in figures if f.get(key) is not None]
        return sum(values) / len(values) if values else None

    return Cost(
        recipe.label,
        recipe.mean("parameters"),
        recipe.mean("trainable_parameters"),
        recipe.mean("flops_per_image"),
        {batch: (mean(figures, "p50"), mean(figures, "p95")) for batch, figures in latency.items()},
        recipe.mean("peak_memory_bytes"),
        recipe.mean("peak_gpu_memory_bytes"),
        recipe.mean("images_per_second"),
        recipe.mean("train_seconds"),
        recipe.mean("wall_seconds"),
    )


def failure(trial: TrialResult) -> Failure:
    """Why a trial has no result."""
    error = trial.error or {}
    return Failure(
        trial.label,
        trial.dataset,
        trial.seed,
        trial.status,
        str(error.get("type") or ""),
        str(error.get("message") or ""),
        str(error.get("traceback") or "").strip(),
    )
