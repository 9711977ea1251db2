"""What the stored predictions say of each recipe of a dataset: correctness, intervals, confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.answers import Answered, Groups, counted_of, joined, layout_of, repeated_of
from mnistarena.evidence.figure import (
    ACCURACY,
    Figure,
    Scored,
    deciding,
    figure_of,
    is_accuracy,
    scored,
    scored_metric,
)
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import calibration
from mnistarena.stats.consistency import confusion
from mnistarena.stats.crossed import Correct
from mnistarena.stats.intervals import Interval
from mnistarena.stats.splits import Layout
from mnistarena.store.records import DatasetRecord, RecipeRecord
from mnistarena.store.results import StoredRun, StoredTrial

IntervalOf = Literal["seeds", "one trained model", "images", "data", "nothing"]
"""What an interval speaks of: the recipe over seeds and images, one trained model, a deterministic recipe over images,
or, with several splits, the recipe over training samples, seeds and images."""


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
    `counted` are the finished trials that predicted the same test images, seed by seed. `correct` is bool `(k, n)` over
    these k seeds, as are `predicted` (class) and `confidence` (its probability; None of a model without); `boxes` are
    those of a detector's first finished seed: left, top, right, bottom in shares of the sides, `(n, 4)`; `labels`
    and `index` are `(n,)`; `confusion` `(classes, classes)` is summed over the seeds.
    With several splits, a seed counts where it finished in all of them, and the n columns are the test images of one
    split after the other, so that `index` may have a row more than once; `layout` says which column is whose.
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
    layout: Layout | None = None

    @property
    def done(self) -> tuple[StoredTrial, ...]:
        """The finished trials, by seed."""
        return tuple(trial for trial in self.trials if trial.done)

    @property
    def complete(self) -> bool:
        """Whether every planned seed finished."""
        return len(self.done) == len(self.trials)

    @property
    def seeds(self) -> int:
        """How many seeds were planned, without those that repeat others."""
        return len({trial.seed for trial in self.trials})

    @property
    def finished(self) -> int:
        """How many of these finished, in every split."""
        return self.seeds - len({trial.seed for trial in self.trials if not trial.done})

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
        whole = self.complete and len(self.counted) == len(self.done)
        if self.layout is not None:
            return whole and len(self.correct) > 0
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
        """The mean of a metric over the finished seeds that have it; over several splits each image counts alike."""
        known = self.intervals.get(label)
        if self.layout is not None and known is not None:
            return known.estimate
        found = (trial.metrics.get(label) for trial in self.done)
        values = [value for value in found if value is not None]
        return float(np.mean(values)) if values else None

    def reason(self, label: str) -> str:
        """Why a metric, or its interval, is missing in some seeds; empty where none is, or no reason is known."""
        told = (trial.missing.get(label) or trial.no_interval.get(label) for trial in self.done)
        return "; ".join(dict.fromkeys(filter(None, told)))


def gather(run: StoredRun, dataset: DatasetRecord, figure: Figure | None = None) -> list[RecipeEvidence]:
    """The recipes of one dataset, in the order of the plan; `figure` is to decide, by default the plan's."""
    names = {metric["label"]: metric.get("name", metric["label"]) for metric in run.plan.get("metrics", ())}
    entries = [entry for entry in run.plan["entries"] if entry["dataset"] == dataset["label"]]
    groups, wanted = Groups(run, dataset), figure or deciding(run.plan)
    return [_evidence(run, entry, dataset, names=names, groups=groups, wanted=wanted) for entry in entries]


def _evidence(
    run: StoredRun,
    entry: RecipeRecord,
    dataset: DatasetRecord,
    *,
    names: dict[str, str],
    groups: Groups,
    wanted: Figure,
) -> RecipeEvidence:
    planned = sorted(run.of(entry["label"], entry["dataset"]), key=lambda trial: (trial.seed, trial.split or 0))
    repeated = () if entry.get("deterministic") else repeated_of(planned)
    trials = tuple(trial for trial in planned if trial not in repeated)
    n_classes = len(dataset["class_names"])
    counted, contradictions = counted_of(trials, n_classes, names)
    predictions = [joined([found for _, found in one]) for one in counted]
    total = sum(
        (confusion(found.labels, found.predicted, n_classes) for found in predictions),
        np.zeros((n_classes, n_classes), np.int64),
    )
    correct = _stacked([found.labels == found.predicted for found in predictions], np.bool_)
    none = np.zeros(0, np.int64)
    index = predictions[-1].index if predictions else none
    together, layout = groups.of(index), layout_of(dataset, counted[0], groups) if counted else None
    deterministic = bool(entry.get("deterministic"))
    accuracy, decided, intervals, wrong = _figures(
        run,
        counted,
        correct,
        wanted=wanted,
        labels=predictions[-1].labels if predictions else none,
        groups=together,
        layout=layout,
        deterministic=deterministic,
    )
    sure = all(found.output == "probabilities" for found in predictions)
    return RecipeEvidence(
        entry["label"],
        entry,
        trials=trials,
        repeated=repeated,
        counted=tuple(trial for one in counted for trial, _ in one),
        correct=correct,
        predicted=_stacked([found.predicted for found in predictions], np.int32),
        confidence=_stacked([found.probabilities.max(axis=1) for found in predictions], np.float32) if sure else None,
        boxes=_boxes(predictions[0]) if predictions else None,
        labels=predictions[-1].labels if predictions else none,
        index=index,
        scores=tuple(map(_scores, predictions)) if sure else (),
        confusion=total,
        interval=accuracy.interval,
        interval_of=_interval_of(correct, layout, deterministic=deterministic),
        contradictions=(*contradictions, *wrong),
        decided=decided,
        intervals=intervals,
        groups=together,
        layout=layout,
    )


def _figures(
    run: StoredRun,
    counted: Sequence[Answered],
    correct: Correct,
    *,
    wanted: Figure,
    groups: NDArray[np.int64] | None,
    labels: NDArray[np.int64],
    layout: Layout | None,
    deterministic: bool,
) -> tuple[Scored, Scored, dict[str, Interval | None], list[str]]:
    """The accuracy, the figure that decides, the intervals of all metrics, and what contradicts what is stored."""
    accuracy = scored(ACCURACY, correct, groups, layout=layout, deterministic=deterministic)
    decided = accuracy if wanted == ACCURACY else Scored(wanted, None, reason="it is no metric of this run")
    stored = [[(trial, trial.contributions()) for trial, _ in one] for one in counted]
    intervals, wrong = {}, []
    for metric in run.plan.get("metrics", ()):
        if is_accuracy(metric):
            found = replace(accuracy, figure=figure_of(metric))
        else:
            found, more = scored_metric(
                metric, stored, groups, layout=layout, labels=labels, deterministic=deterministic
            )
            wrong += more
        if found.figure == wanted:
            decided = found
        intervals[metric["label"]] = found.interval
    return accuracy, decided, intervals, wrong


def _stacked(rows: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Rows `(n,)` as an array `(k, n)`; `(0, 0)` of none."""
    return np.array([row.astype(dtype) for row in rows]) if rows else np.zeros((0, 0), dtype)


def _interval_of(correct: Correct, layout: Layout | None, *, deterministic: bool) -> IntervalOf:
    """What the intervals of a recipe's figures speak of."""
    if not len(correct):
        return "nothing"
    if layout is not None:
        return "data"
    return "seeds" if len(correct) > 1 else "images" if deterministic else "one trained model"


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
