"""The leaderboard: a row a recipe."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, Protocol

from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.evidence.pairs import Pair
from mnistarena.evidence.recipe import IntervalOf, RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import names, percent
from mnistarena.stats.intervals import Difference, Interval
from mnistarena.stats.verdicts import Verdict
from mnistarena.store.records import DatasetRecord, MetricRecord


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard. Times (s) and `metrics` are means over the finished seeds.

    `decided` is the interval of the figure that says which recipe is better, `intervals` are those of `metrics`; None
    where it is not known what each image contributes.
    `reasons` say why a metric or its interval is missing, in the order of `metrics`; empty where no reason is known.
    `place` is the best and the worst that the verdicts over all pairs leave; None where it cannot be compared.
    `interval_of`: "seeds", "images" and "data" describe the recipe, "one trained model" that model only.
    `verdict` is on this recipe against the reference; None where nothing is known. `summary` is what its model is,
    `caveat` what must be known of it. `ahead` is its difference to the next row, None where the two were not compared;
    `cut` says that each row up to this one is better than each after it.
    """

    label: str
    model: str
    _: KW_ONLY
    seeds: int
    finished: int
    accuracy: Interval | None
    interval_of: IntervalOf
    seed_accuracies: tuple[float, ...]
    decided: Interval | None
    seed_values: tuple[float, ...]
    metrics: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...]
    reasons: tuple[str, ...]
    train_seconds: float | None
    wall_seconds: float | None
    parameters: float | None
    against: Pair | None
    verdict: Verdict | Literal["reference"] | None
    place: tuple[int, int] | None
    summary: str
    caveat: str
    ahead: Difference | None
    cut: bool

    @property
    def mean(self) -> float | None:
        """The mean accuracy; None without a result."""
        return self.accuracy.estimate if self.accuracy else None

    @property
    def complete(self) -> bool:
        """Whether every planned seed finished."""
        return 0 < self.finished == self.seeds


class Board(Protocol):
    """The leaderboard of one dataset: what sections about several datasets are computed from."""

    @property
    def label(self) -> str:
        """The dataset's label."""

    @property
    def dataset(self) -> DatasetRecord:
        """The dataset's entry in the plan."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row a recipe, highest mean first."""

    @property
    def reference(self) -> str | None:
        """The recipe that the others are compared with."""


def row(
    recipe: RecipeEvidence,
    pairs: Sequence[Pair],
    reference: str | None,
    metrics: Sequence[MetricRecord],
    ranks: Mapping[str, tuple[int, int]],
) -> Row:
    """The line of a recipe, compared with the reference."""
    against = next((p.seen_from(recipe.label) for p in pairs if {p.a, p.b} == {recipe.label, reference}), None)
    return Row(
        recipe.label,
        recipe.entry.get("model", recipe.label),
        seeds=recipe.seeds,
        finished=recipe.finished,
        accuracy=recipe.interval,
        interval_of=recipe.interval_of,
        seed_accuracies=tuple(float(value) for value in recipe.correct.mean(axis=1)) if recipe.correct.size else (),
        decided=recipe.decided.interval,
        seed_values=tuple(map(float, recipe.decided.values)),
        metrics=tuple(recipe.metric(metric["label"]) for metric in metrics),
        intervals=tuple(recipe.intervals.get(metric["label"]) for metric in metrics),
        reasons=tuple(recipe.reason(metric["label"]) for metric in metrics),
        train_seconds=recipe.mean("train_seconds"),
        wall_seconds=recipe.mean("wall_seconds"),
        parameters=recipe.mean("parameters"),
        against=against,
        verdict=against.verdict if against else ("reference" if recipe.label == reference else None),
        place=ranks.get(recipe.label),
        summary=recipe.entry.get("summary", ""),
        caveat=recipe.entry.get("caveat", ""),
        ahead=None,
        cut=False,
    )


def in_groups(rows: Sequence[Row], pairs: Sequence[Pair]) -> tuple[Row, ...]:
    """The rows with what each has before the next, and where all above are better than all below."""
    found = {(one.a, one.b): one for pair in pairs for one in (pair, pair.seen_from(pair.b))}
    # How far down the board the verdicts of the rows up to each one reach that are not "better".
    labels = [row.label for row in rows]
    reach, ends = 0, []
    for at, label in enumerate(labels):
        open_ = [n for n in range(at + 1, len(labels)) if not _beats(found.get((label, labels[n])))]
        reach = max(reach, at, *open_) if open_ else max(reach, at)
        ends.append(reach == at and at + 1 < len(labels))
    nexts = [found.get(pair) for pair in itertools.pairwise(labels)]
    return tuple(
        replace(row, ahead=pair.difference if pair else None, cut=cut)
        for row, pair, cut in zip(rows, [*nexts, None], ends, strict=True)
    )


def _beats(pair: Pair | None) -> bool:
    return pair is not None and pair.verdict == "better"


def answer(ranked: Sequence[RecipeEvidence], figure: Figure) -> str:
    """The best and the worst mean of the figure that decides."""
    known = {recipe.label: _interval(recipe, figure) for recipe in ranked}
    means = {label: interval.estimate for label, interval in known.items() if interval}
    if not means:
        finished = any(recipe.interval for recipe in ranked)
        return f"The {figure.name} of no model is known." if finished else "No trial has finished."
    ends = max(means.values()), min(means.values())
    best, last = ends if figure.higher_is_better else ends[::-1]
    first, worst = ([label for label, mean in means.items() if abs(mean - end) < 1e-12] for end in (best, last))
    text = f"{names(first)} {'has' if len(first) == 1 else 'have'} the {wording.leads(best, figure)}"
    if len(first) == len(means) > 1:
        text = f"All {len(means)} have the same mean {figure.name}, {wording.value(best, figure)}"
    elif len(means) == 1:
        text = f"{names(first)} has a mean {figure.name} of {wording.value(best, figure)}"
    interval = known[first[0]]
    if interval and len(first) == 1:
        over = {"seeds": "seeds and images", "images": "images", "data": "training samples, seeds and images"}
        (of,) = (recipe.interval_of for recipe in ranked if recipe.label == first[0])
        low, high = (wording.value(end, figure) for end in (interval.low, interval.high))
        text += f" (95 % interval {low} to {high}, over {over.get(of, 'images, for this one model')})"
    if len(first) == len(means):
        return f"{text}."
    shown = wording.value(last, figure)
    if shown == wording.value(best, figure):
        shown = percent(last, 4) if figure.share else f"{last:.4g}"
    return f"{text}; {names(worst)} the {'lowest' if figure.higher_is_better else 'highest'}, {shown}."


def _interval(recipe: RecipeEvidence, figure: Figure) -> Interval | None:
    return recipe.interval if figure == ACCURACY else recipe.decided.interval
