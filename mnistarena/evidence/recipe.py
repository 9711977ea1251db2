"""What the stored predictions say of each recipe of a dataset: correctness, intervals, confusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.evidence.figure import ACCURACY, Scored, deciding, is_accuracy, scored, scored_metric
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import calibration
from mnistarena.stats.consistency import confusion, weighted_f1_gap
from mnistarena.stats.crossed import Correct
from mnistarena.stats.intervals import Interval
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
    `interval` is the mean accuracy's, of one trained model's for `interval_of` "one trained model"; None: nothing
    finished. `decided` is the figure that says which recipe is better, `intervals` are those of the plan's metrics by
    label. `groups` `(n,)` says which test images belong together; None: each stands for itself.
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
    decided: Scored
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    groups: NDArray[np.integer[Any]] | None = None

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
        """Whether the recipe can be compared with others by the deciding figure, not only one trained model of it."""
        return self.seeded and self.decided.known

    @property
    def seeded(self) -> bool:
        """Whether its finished trials say something of the recipe, not only of one trained model."""
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

    def reason(self, label: str) -> str:
        """Why a metric, or its interval, is missing in some seeds; empty where none is, or no reason is known."""
        told = (trial.missing.get(label) or trial.no_interval.get(label) for trial in self.done)
        return "; ".join(dict.fromkeys(filter(None, told)))


def gather(run: StoredRun, dataset: DatasetRecord) -> list[RecipeEvidence]:
    """The recipes of one dataset, in the order of the plan."""
    names = {metric["label"]: metric.get("name", metric["label"]) for metric in run.plan.get("metrics", ())}
    entries = [entry for entry in run.plan["entries"] if entry["dataset"] == dataset["label"]]
    groups = _Groups(run, dataset)
    return [_evidence(run, entry, len(dataset["class_names"]), names, groups) for entry in entries]


@dataclass(frozen=True)
class _Groups:
    """The groups of a dataset's test images, read where the first recipe needs them."""

    run: StoredRun
    dataset: DatasetRecord

    @cached_property
    def _stored(self) -> dict[int, int]:
        split = self.run.test_split(self.dataset["label"])
        if "groups" not in split:
            raise StoreError(f"{self.dataset['label']}: the groups of its test images are not stored")
        return dict(zip(split["index"].tolist(), split["groups"].tolist(), strict=True))

    def of(self, index: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The groups of some test images; None where the dataset has none."""
        if not index.size or not self.dataset.get("test_groups"):
            return None
        if missing := set(index.tolist()) - self._stored.keys():
            raise StoreError(f"{self.dataset['label']}: the test image {min(missing)} is of no stored group")
        return np.array([self._stored[row] for row in index.tolist()], np.int64)


def _evidence(
    run: StoredRun, entry: RecipeRecord, n_classes: int, names: dict[str, str], groups: _Groups
) -> RecipeEvidence:
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
    none = np.zeros(0, np.int64)
    index = predictions[-1].index if predictions else none
    together = groups.of(index)
    accuracy, decided, intervals, wrong = _figures(run, counted, correct, together, entry)
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
        index=index,
        scores=tuple(map(_scores, predictions)) if sure else (),
        confusion=total,
        interval=accuracy.interval,
        interval_of=_interval_of(correct, deterministic=bool(entry.get("deterministic"))),
        contradictions=(*contradictions, *wrong),
        decided=decided,
        intervals=intervals,
        groups=together,
    )


def _figures(
    run: StoredRun,
    counted: list[tuple[StoredTrial, Predictions]],
    correct: Correct,
    groups: NDArray[np.int64] | None,
    entry: RecipeRecord,
) -> tuple[Scored, Scored, dict[str, Interval | None], list[str]]:
    """The accuracy, the figure that decides, the intervals of all metrics, and what contradicts what is stored."""
    deterministic = bool(entry.get("deterministic"))
    accuracy = decided = scored(ACCURACY, correct, groups, deterministic=deterministic)
    stored = [(trial, trial.contributions()) for trial, _ in counted]
    labels = counted[0][1].labels if counted else np.zeros(0, np.int64)
    intervals, wrong, wanted = {}, [], deciding(run.plan)
    for metric in run.plan.get("metrics", ()):
        found = accuracy
        if not is_accuracy(metric):
            found, more = scored_metric(metric, stored, groups, labels=labels, deterministic=deterministic)
            decided = found if found.figure == wanted else decided
            wrong += more
        intervals[metric["label"]] = found.interval
    return accuracy, decided, intervals, wrong


def _stacked(rows: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Rows `(n,)` as an array `(k, n)`; `(0, 0)` of none."""
    return np.array([row.astype(dtype) for row in rows]) if rows else np.zeros((0, 0), dtype)


def _interval_of(correct: Correct, *, deterministic: bool) -> IntervalOf:
    """What the intervals of a recipe's figures speak of."""
    if len(correct) > 1:
        return "seeds"
    return ("images" if deterministic else "one trained model") if len(correct) else "nothing"


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
