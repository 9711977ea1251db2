"""What the stored predictions say of each recipe of a dataset: correctness, intervals, confusions."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import calibration
from mnistarena.stats.consistency import confusion, weighted_f1_gap
from mnistarena.stats.crossed import Correct, seed_mean
from mnistarena.stats.intervals import Interval, wilson
from mnistarena.store.findings import repeated_seeds
from mnistarena.store.records import DatasetRecord, RecipeRecord
from mnistarena.store.results import StoredRun, StoredTrial

IntervalOf = Literal["seeds", "one trained model", "images", "nothing"]
"""What an interval speaks of: the recipe over seeds and images, one trained model, a deterministic recipe."""


@dataclass(frozen=True)
class ProbabilityScores:
    """How good one trained model's probabilities are; `confidence` and `accuracy` are means over images."""

    log_loss: float
    brier: float
    _: KW_ONLY
    ece: float
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class RecipeEvidence:
    """A recipe on one dataset: its plan entry, its trials, and what its finished trials got right.

    `trials` are those of the plan without `repeated`: seeds whose training gave the bits of an earlier seed count as
    that one, unless the recipe is deterministic.
    `counted` are the finished trials that predicted the same test images. `correct` is bool `(k, n)` over these k
    trials, as are `predicted` (class) and `confidence` (its probability; None of a model without); `boxes` are those
    of a detector's first finished seed: left, top, right, bottom in shares of the image's sides, `(n, 4)`; `labels`
    and `index` are `(n,)`; `confusion` `(classes, classes)` is summed over the seeds.
    `interval` is the seed mean's, or Wilson's for `interval_of` "one trained model"; None: nothing finished.
    """

    label: str
    entry: RecipeRecord
    _: KW_ONLY
    trials: tuple[StoredTrial, ...]
    repeated: tuple[StoredTrial, ...]
    counted: tuple[StoredTrial, ...]
    correct: Correct
    predicted: NDArray[np.int32]
    confidence: NDArray[np.float32] | None
    boxes: NDArray[np.float64] | None
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    scores: tuple[ProbabilityScores, ...]
    confusion: NDArray[np.int64]
    interval: Interval | None
    interval_of: IntervalOf
    contradictions: tuple[str, ...]

    @property
    def done(self) -> tuple[StoredTrial, ...]:
        """The finished trials, by seed."""
        return tuple(trial for trial in self.trials if trial.done)

    @property
    def complete(self) -> bool:
        """Whether every planned seed finished."""
        return len(self.done) == len(self.trials)

    @property
    def deterministic(self) -> bool:
        """Whether training does not depend on the seed, so that one is enough."""
        return bool(self.entry.get("deterministic", False))

    @property
    def comparable(self) -> bool:
        """Whether the recipe can be compared with others, not only one trained model of it."""
        whole = self.complete and len(self.counted) == len(self.done)
        return whole and (len(self.correct) > 1 or (self.deterministic and len(self.correct) == 1))

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

    def reason(self, label: str) -> str:
        """Why a metric is missing in some seeds; empty where it is not, or where no reason is known."""
        return "; ".join(dict.fromkeys(trial.missing[label] for trial in self.done if label in trial.missing))


def gather(run: StoredRun, dataset: DatasetRecord) -> list[RecipeEvidence]:
    """The recipes of one dataset, in the order of the plan."""
    names = {metric["label"]: metric.get("name", metric["label"]) for metric in run.plan.get("metrics", ())}
    entries = [entry for entry in run.plan["entries"] if entry["dataset"] == dataset["label"]]
    return [_evidence(run, entry, len(dataset["class_names"]), names) for entry in entries]


def _evidence(run: StoredRun, entry: RecipeRecord, n_classes: int, names: dict[str, str]) -> RecipeEvidence:
    planned = sorted(run.of(entry["label"], entry["dataset"]), key=lambda trial: trial.seed)
    repeated = () if entry.get("deterministic") else repeated_seeds(planned)
    trials = tuple(trial for trial in planned if trial not in repeated)
    counted: list[tuple[StoredTrial, Predictions]] = []
    contradictions: list[str] = []
    total = np.zeros((n_classes, n_classes), np.int64)
    for trial in trials:
        if not trial.done:
            continue
        found = trial.predictions()
        if found.n_classes != n_classes:
            raise StoreError(f"{trial.label}, seed {trial.seed}: its predictions are not on {n_classes} classes")
        if counted and not np.array_equal(counted[0][1].index, found.index):
            contradictions.append(f"{trial.label}, seed {trial.seed}, predicted other test images; left out")
            continue
        matrix = confusion(found.labels, found.predicted, n_classes)
        contradictions += _contradictions(trial, names, matrix)
        counted.append((trial, found))
        total += matrix
    predictions = [found for _, found in counted]
    correct = _stacked([found.labels == found.predicted for found in predictions], np.bool_)
    interval, interval_of = _interval(correct, deterministic=bool(entry.get("deterministic")))
    none = np.zeros(0, np.int64)
    sure = all(found.output == "probabilities" for found in predictions)
    return RecipeEvidence(
        entry["label"],
        entry,
        trials=trials,
        repeated=repeated,
        counted=tuple(trial for trial, _ in counted),
        correct=correct,
        predicted=_stacked([found.predicted for found in predictions], np.int32),
        confidence=_stacked([found.probabilities.max(axis=1) for found in predictions], np.float32) if sure else None,
        boxes=_boxes(predictions[0]) if predictions else None,
        labels=predictions[-1].labels if predictions else none,
        index=predictions[-1].index if predictions else none,
        scores=tuple(map(_scores, predictions)) if sure else (),
        confusion=total,
        interval=interval,
        interval_of=interval_of,
        contradictions=tuple(contradictions),
    )


def _stacked(rows: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Rows `(n,)` as an array `(k, n)`; `(0, 0)` of none."""
    return np.array([row.astype(dtype) for row in rows]) if rows else np.zeros((0, 0), dtype)


def _interval(correct: Correct, *, deterministic: bool) -> tuple[Interval | None, IntervalOf]:
    """The interval of a recipe's accuracy, and what it speaks of."""
    if not len(correct):
        return None, "nothing"
    if len(correct) == 1:
        return wilson(int(correct.sum()), correct.size), "images" if deterministic else "one trained model"
    return seed_mean(correct, deterministic=deterministic), "seeds"


def _boxes(predictions: Predictions) -> NDArray[np.float64] | None:
    """A detector's boxes, if they are valid."""
    found, n = predictions.extras.get("boxes"), len(predictions.labels)
    if found is None or found.shape != (n, 4) or found.dtype.kind != "f" or not np.isfinite(found).all():
        return None
    return found.astype(np.float64).clip(0, 1)


def _scores(found: Predictions) -> ProbabilityScores:
    confidence: NDArray[np.float64] = found.probabilities.max(axis=1)
    right = found.labels == found.predicted
    return ProbabilityScores(
        calibration.log_loss(found.probabilities, found.labels),
        calibration.brier(found.probabilities, found.labels),
        ece=calibration.expected_calibration_error(confidence, right),
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
    )


def _contradictions(trial: StoredTrial, names: dict[str, str], matrix: NDArray[np.int64]) -> list[str]:
    """Stored figures that the stored predictions do not give."""
    accuracy = float(np.diag(matrix).sum() / matrix.sum())
    expected = {"accuracy": accuracy, "f1_weighted": accuracy + weighted_f1_gap(matrix)}
    return [
        f"{trial.label}, seed {trial.seed}: {label} is stored as {value:.6f}, "
        f"but its predictions give {expected[names[label]]:.6f}"
        for label, value in trial.metrics.items()
        if names.get(label) in expected and value is not None and abs(value - expected[names[label]]) > 1e-6
    ]
