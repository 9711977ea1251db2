"""The figures of a recipe: what each seed gets, what each test image contributes, and their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.answers import contradiction
from mnistarena.stats import splits
from mnistarena.stats.crossed import Contributions, Crossed
from mnistarena.stats.intervals import Interval, exact
from mnistarena.stats.splits import Layout
from mnistarena.stats.verdicts import MARGIN
from mnistarena.store.contributions import Contribution
from mnistarena.store.records import MetricRecord, PlanRecord
from mnistarena.store.results import StoredTrial


@dataclass(frozen=True)
class Figure:
    """A figure on the leaderboard: its label, whether higher is better, and how it is shown.

    `share` says that it lies from 0 to 1 and is shown in %, its differences and margins in percentage points (pp);
    else it is a plain number, such as a log loss.
    """

    label: str
    _: KW_ONLY
    higher_is_better: bool
    share: bool

    @property
    def name(self) -> str:
        """The label in a sentence, such as "log loss"."""
        return self.label.replace("_", " ")


ACCURACY = Figure("accuracy", higher_is_better=True, share=True)


def figure_of(metric: MetricRecord) -> Figure:
    """A metric of the plan as a figure."""
    return Figure(
        metric["label"],
        higher_is_better=metric.get("higher_is_better", True),
        share=metric.get("share", False),
    )


def is_accuracy(metric: MetricRecord) -> bool:
    """Whether a metric is the accuracy, which is known from the predictions alone."""
    return metric.get("name", metric["label"]) == "accuracy"


def deciding(plan: PlanRecord) -> Figure:
    """The figure that says which recipe is better."""
    label = plan.get("decide", ACCURACY.label)
    found = [metric for metric in plan.get("metrics", ()) if metric["label"] == label and not is_accuracy(metric)]
    return figure_of(found[0]) if found else ACCURACY


def margin_of(plan: PlanRecord, figure: Figure) -> float:
    """Differences of a figure within ± this do not matter: the plan's margin if that figure decides, else 0.001."""
    return float(plan.get("margin", MARGIN)) if figure == deciding(plan) else MARGIN


@dataclass(frozen=True)
class Scored:
    """A figure of one recipe.

    `contributions` `(k, n)` are of the seeds that predicted the same test images: bool for accuracy, else float64; the
    row means are the seeds' figures. None where they are not known of each of these, for a `reason`. `groups` `(n,)`
    says which images count together; None: each image counts by itself. With several splits, `layout` says which column
    is of which split, and has the groups, too. `interval` is the mean's, of the recipe or of its one trained model.
    `span` is how much an image can contribute, see `Crossed`.
    """

    figure: Figure
    contributions: Contributions | None
    _: KW_ONLY
    groups: NDArray[np.integer[Any]] | None = None
    layout: Layout | None = None
    span: float = 1.0
    interval: Interval | None = None
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is anything to compare."""
        return self.contributions is not None and len(self.contributions) > 0

    @property
    def values(self) -> NDArray[np.float64]:
        """The figure of each seed, `(k,)`."""
        if self.contributions is None or not len(self.contributions):
            return np.zeros(0)
        return self.contributions.mean(axis=1)

    @property
    def mean(self) -> float:
        """The mean over the seeds; NaN where nothing is known."""
        return float(self.values.mean()) if self.known else float("nan")

    @property
    def loss(self) -> float:
        """The mean as a key to sort by, the best first; what is not known comes last."""
        return float("inf") if not self.known else -self.mean if self.figure.higher_is_better else self.mean


def scored(
    figure: Figure,
    contributions: Contributions | None,
    groups: NDArray[np.integer[Any]] | None,
    *,
    layout: Layout | None = None,
    deterministic: bool,
    span: float = 1.0,
) -> Scored:
    """A figure with its interval: exact over images for one model's accuracy, else of seeds, images and splits."""
    interval = None
    if contributions is not None and len(contributions):
        one = len(contributions) == 1
        if layout is not None:
            interval = splits.mean(contributions, layout, share=figure.share, span=span)
        elif one and groups is None and contributions.dtype == np.bool_:
            interval = exact(int(contributions.sum()), contributions.size)
        else:
            crossed = Crossed([contributions], [deterministic or one], groups=groups, share=figure.share, span=span)
            interval = crossed.mean(0)
    return Scored(figure, contributions, groups=groups, layout=layout, span=span, interval=interval)


Stored = Sequence[tuple[StoredTrial, Mapping[str, Contribution]]]
"""The trials of one seed, one a split, with what each stored of its images."""


def scored_metric(
    metric: MetricRecord,
    counted: Sequence[Stored],
    groups: NDArray[np.integer[Any]] | None,
    *,
    layout: Layout | None,
    labels: NDArray[np.int64],
    deterministic: bool,
) -> tuple[Scored, list[str]]:
    """A metric of some finished seeds from what they stored of each image, and what contradicts that."""
    figure = figure_of(metric)
    every = [one for seed in counted for one in seed]
    for trial, stored in every:
        if trial.metrics.get(figure.label) is None or figure.label not in stored:
            reasons = (trial.missing.get(figure.label), trial.no_interval.get(figure.label))
            reason = next(filter(None, reasons), "what each image contributes to it is not stored; run it again")
            return Scored(figure, None, reason=reason), []
    means = [(trial, float(stored[figure.label].values.mean())) for trial, stored in every]
    said = (contradiction(trial, figure.label, mean, "images' contributions") for trial, mean in means)
    wrong = [text for text in said if text]
    rows = [[stored[figure.label] for _, stored in seed] for seed in counted]
    joined = [np.concatenate([part.values for part in row]) for row in rows]
    if not rows or {len(row) for row in joined} != {len(labels)}:
        return Scored(figure, None, reason="what is stored is of other test images" if rows else ""), wrong
    blocks = [part.blocks for part in rows[-1]]
    if any(part is not None for part in blocks):
        groups = _apart([part for part in blocks if part is not None])
        layout = layout and replace(layout, groups=groups)
    whole = np.array(joined)
    # A share that is no mean of yes and no may rest on the images of one class: so few count, then.
    least = int(np.unique(labels, return_counts=True)[1].min())
    span = len(labels) / least if figure.share and whole.dtype != np.bool_ else 1.0
    return scored(figure, whole, groups, layout=layout, deterministic=deterministic, span=span), wrong


def _apart(blocks: Sequence[NDArray[np.integer[Any]]]) -> NDArray[np.integer[Any]]:
    """The blocks of several splits, one after the other, none of them in two splits."""
    starts = np.cumsum([0, *(int(part.max()) + 1 for part in blocks)])
    return np.concatenate([part + start for part, start in zip(blocks, starts, strict=False)])
