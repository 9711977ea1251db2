"""What the stored predictions prove: correctness, intervals, pairs and their verdicts, one dataset at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena import calibration, invariants, statistics
from mnistarena.errors import StoreError
from mnistarena.results import Run, TrialResult
from mnistarena.statistics import Correct, Crossed, Difference, Interval, McNemar, Verdict


@dataclass(frozen=True)
class CurvePoint:
    """A figure at the end of an epoch: the mean over seeds, their lowest and highest."""

    label: str
    epoch: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Recipe:
    """A recipe on one dataset: its plan entry, its trials, and what its finished trials got right.

    `correct` is bool `(k, n)` over the k finished seeds, as are `predicted` (class) and `confidence` (its
    probability); `boxes` are those a detector's first finished seed gave, left, top, right, bottom in shares of the
    image's sides, `(n, 4)`; `labels` and `index` are `(n,)`; `confusion` `(classes, classes)` is summed over the seeds.
    `interval` is the seed mean's, or Wilson's for `interval_of` "one trained model"; None: nothing finished.
    """

    label: str
    entry: dict[str, Any]
    trials: tuple[TrialResult, ...]
    correct: Correct
    predicted: NDArray[np.int32]
    confidence: NDArray[np.float32]
    boxes: NDArray[np.float64] | None
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    scores: tuple[dict[str, float], ...]
    confusion: NDArray[np.int64]
    interval: Interval | None
    interval_of: Literal["seeds", "one trained model", "images", "nothing"]
    contradictions: tuple[str, ...]
    counted: tuple[TrialResult, ...]
    """The trials that are the rows of `correct`: the finished ones that predicted the same test images."""

    @property
    def done(self) -> tuple[TrialResult, ...]:
        """The finished trials, by seed."""
        return tuple(trial for trial in self.trials if trial.done)

    @property
    def complete(self) -> bool:
        """Whether every planned seed finished."""
        return len(self.done) == len(self.trials)

    @property
    def deterministic(self) -> bool:
        """Whether one seed says all there is to say."""
        return bool(self.entry.get("deterministic", False))

    @property
    def comparable(self) -> bool:
        """Whether something can be said of the recipe, rather than of one trained model."""
        return self.complete and (len(self.correct) > 1 or (self.deterministic and len(self.correct) == 1))

    @property
    def accuracy(self) -> float:
        """Mean accuracy of the finished seeds; NaN where none is."""
        return float(self.correct.mean()) if self.correct.size else float("nan")

    def mean(self, measurement: str) -> float | None:
        """The mean of a measurement over the finished seeds that have it."""
        values = self.values(measurement)
        return sum(values) / len(values) if values else None

    def values(self, measurement: str) -> list[float]:
        """A measurement's values over the finished seeds."""
        found = (trial.measurements.get(measurement) for trial in self.done)
        return [float(value) for value in found if isinstance(value, (int, float))]

    def metric(self, label: str) -> float | None:
        """The mean of a metric over the finished seeds that have it."""
        found = (trial.metrics.get(label) for trial in self.done)
        values = [value for value in found if value is not None]
        return float(np.mean(values)) if values else None


@dataclass(frozen=True)
class Pair:
    """Recipe `a` against recipe `b`, with the verdict on `a` and why it is not more.

    `difference` speaks of the recipes, `mcnemar` of their first trained models where recipes cannot be compared.
    `superiority` is P(a > b) over seeds. `p_adjusted` is two-sided.
    """

    a: str
    b: str
    verdict: Verdict
    difference: Difference | None = None
    mcnemar: McNemar | None = None
    p_adjusted: float | None = None
    superiority: float | None = None
    reason: str = ""

    def seen_from(self, label: str) -> Pair:
        """The same pair with `label` as its first recipe."""
        if label == self.a:
            return self
        turned: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
        return Pair(
            self.b,
            self.a,
            turned.get(self.verdict, self.verdict),
            self.difference and self.difference.turned(),
            self.mcnemar and self.mcnemar.turned(),
            self.p_adjusted,
            None if self.superiority is None else 1 - self.superiority,
            self.reason,
        )


def gather(run: Run, dataset: dict[str, Any]) -> list[Recipe]:
    """The recipes of one dataset, in the order of the plan."""
    names = {metric["label"]: metric.get("name", metric["label"]) for metric in run.plan.get("metrics", ())}
    entries = [entry for entry in run.plan["entries"] if entry["dataset"] == dataset["label"]]
    return [_recipe(run, entry, len(dataset["class_names"]), names) for entry in entries]


def _recipe(run: Run, entry: dict[str, Any], n_classes: int, names: dict[str, str]) -> Recipe:
    trials = tuple(sorted(run.of(entry["label"], entry["dataset"]), key=lambda trial: trial.seed))
    rows: list[NDArray[np.bool_]] = []
    counted: list[TrialResult] = []
    said: list[NDArray[np.int32]] = []
    sure: list[NDArray[np.float32]] = []
    scores: list[dict[str, float]] = []
    contradictions: list[str] = []
    labels = index = np.zeros(0, np.int64)
    boxes: NDArray[np.float64] | None = None
    total = np.zeros((n_classes, n_classes), np.int64)
    for trial in trials:
        if not trial.done:
            continue
        predictions = trial.predictions()
        if predictions.probabilities.shape[1] != n_classes:
            raise StoreError(f"{trial.label}, seed {trial.seed}: its predictions are not on {n_classes} classes")
        predicted = predictions.predicted
        matrix = invariants.confusion(predictions.labels, predicted, n_classes)
        right = predictions.labels == predicted
        if rows and not np.array_equal(index, predictions.index):
            contradictions.append(f"{trial.label}, seed {trial.seed}, predicted other test images; left out")
            continue
        contradictions += _contradictions(trial, names, float(right.mean()), matrix)
        if not rows:
            boxes = _boxes(predictions.extras.get("boxes"), len(right))
        rows.append(right)
        counted.append(trial)
        said.append(predicted.astype(np.int32))
        confidence = predictions.probabilities.max(axis=1)
        sure.append(confidence.astype(np.float32))
        scores.append(_scores(predictions.probabilities, predictions.labels, confidence, right))
        labels, index = predictions.labels, predictions.index
        total += matrix
    correct = np.array(rows) if rows else np.zeros((0, 0), np.bool_)
    interval = statistics.seed_mean(correct, deterministic=bool(entry.get("deterministic"))) if rows else None
    kind: Literal["seeds", "one trained model", "images", "nothing"] = "nothing"
    if interval is not None:
        kind = "seeds" if len(correct) > 1 else "images"
    if rows and len(correct) == 1:
        interval = statistics.wilson(int(correct.sum()), correct.size)
        kind = "images" if entry.get("deterministic") else "one trained model"
    none = np.zeros((0, 0))
    return Recipe(
        entry["label"],
        entry,
        trials,
        correct,
        np.array(said) if said else none.astype(np.int32),
        np.array(sure) if sure else none.astype(np.float32),
        boxes,
        labels,
        index,
        tuple(scores),
        total,
        interval,
        kind,
        tuple(contradictions),
        tuple(counted),
    )


def _boxes(found: NDArray[Any] | None, n: int) -> NDArray[np.float64] | None:
    """A detector's boxes, if they are such."""
    if found is None or found.shape != (n, 4) or found.dtype.kind != "f" or not np.isfinite(found).all():
        return None
    return found.astype(np.float64).clip(0, 1)


def _scores(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], confidence: NDArray[np.float64], right: Correct
) -> dict[str, float]:
    return {
        "log_loss": calibration.log_loss(probabilities, labels),
        "brier": calibration.brier(probabilities, labels),
        "ece": calibration.expected_calibration_error(confidence, right),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
    }


def _contradictions(trial: TrialResult, names: dict[str, str], accuracy: float, matrix: NDArray[np.int64]) -> list[str]:
    """Stored figures that the stored predictions do not give."""
    expected = {"accuracy": accuracy, "f1_weighted": accuracy + invariants.weighted_f1_gap(matrix)}
    return [
        f"{trial.label}, seed {trial.seed}: {label} is stored as {value:.6f}, "
        f"but its predictions give {expected[names[label]]:.6f}"
        for label, value in trial.metrics.items()
        if names.get(label) in expected and value is not None and abs(value - expected[names[label]]) > 1e-6
    ]


def compare(recipes: list[Recipe], baseline: str | None, margin: float) -> list[Pair]:
    """Every pair of a Holm family with its verdict: the pairs with the baseline, or all pairs where it is None."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    if not ready:
        return []
    # Recipes that predicted other images than the first one are not paired with it; they pair with one another.
    groups: list[list[Recipe]] = []
    for recipe in ready:
        alike = next((group for group in groups if np.array_equal(group[0].index, recipe.index)), None)
        if alike is None:
            groups.append([recipe])
        else:
            alike.append(recipe)
    pairs: list[Pair] = []
    judged: list[tuple[int, Difference]] = []
    tested: list[tuple[int, McNemar]] = []
    place = {recipe.label: (g, at) for g, group in enumerate(groups) for at, recipe in enumerate(group)}
    crossed = [Crossed([r.correct for r in group], [r.deterministic for r in group]) for group in groups]
    for number, a in enumerate(ready):
        for b in ready[number + 1 :]:
            if baseline is not None and baseline not in (a.label, b.label):
                continue
            (group, i), (other, j) = place[a.label], place[b.label]
            if group != other:
                pairs.append(Pair(a.label, b.label, "undecided", reason="they predicted different test images"))
                continue
            found = crossed[group].difference(i, j) if a.comparable and b.comparable else None
            if found is not None:
                judged.append((len(pairs), found))
                chance = crossed[group].superiority(i, j)
                pairs.append(Pair(a.label, b.label, "undecided", found, superiority=chance))
            else:
                tested.append((len(pairs), crossed[group].mcnemar(i, j)))
                pairs.append(Pair(a.label, b.label, "undecided", None, tested[-1][1], reason=_reason(a, b)))
    differences = [difference for _, difference in judged]
    adjusted = statistics.holm([difference.p_one_sided for difference in differences])
    decided = statistics.verdicts(differences, margin=margin)
    for (at, _), verdict, p in zip(judged, decided, adjusted, strict=True):
        pairs[at] = replace(pairs[at], verdict=verdict, p_adjusted=min(1.0, 2 * p))
    for (at, _), p in zip(tested, statistics.holm([test.p for _, test in tested]), strict=True):
        pairs[at] = replace(pairs[at], p_adjusted=p)
    return pairs


def places(recipes: list[Recipe], pairs: list[Pair]) -> dict[str, tuple[int, int]]:
    """The best and worst place that the verdicts leave every recipe that can be compared."""
    ready = [recipe.label for recipe in recipes if recipe.comparable]
    at = {label: number for number, label in enumerate(ready)}
    better = set()
    for pair in pairs:
        if pair.verdict in ("better", "worse"):
            winner, loser = (pair.a, pair.b) if pair.verdict == "better" else (pair.b, pair.a)
            better.add((at[winner], at[loser]))
    return dict(zip(ready, statistics.places(len(ready), better), strict=True))


def _reason(a: Recipe, b: Recipe) -> str:
    unfinished = [recipe for recipe in (a, b) if not recipe.complete]
    if unfinished:
        return " and ".join(
            f"{len(recipe.trials) - len(recipe.done)} of {len(recipe.trials)} seeds of {recipe.label} did not finish"
            for recipe in unfinished
        )
    return f"{' and '.join(r.label for r in (a, b) if not r.comparable)} has one seed only"
