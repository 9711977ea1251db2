"""Short facts for the top of a report, and short warnings that lead to what must be known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mnistarena.report.format import count, percent
from mnistarena.report.view import ReportData
from mnistarena.text import plural

MOST_DATASETS = 2
"""Of more datasets only the number is said."""


@dataclass(frozen=True)
class Chip:
    """A fact in a few words; a `warning` leads to the section that explains it."""

    text: str
    warning: bool = False


def chips(view: ReportData) -> tuple[Chip, ...]:
    """The facts first, then the warnings."""
    return (*map(Chip, _facts(view)), *(Chip(text, warning=True) for text in _warnings(view)))


def _facts(view: ReportData) -> Iterator[str]:
    if view.trials or not view.lost:
        yield f"{view.finished} of {plural(view.trials, 'trial')}"
    datasets = view.plan["datasets"]
    if len(datasets) > MOST_DATASETS:
        yield plural(len(datasets), "dataset")
    else:
        for data in datasets:
            train = f"{count(data['n_train'])} train, " if data.get("n_train") else ""
            yield f"{data['label']}: {train}{count(data['n_test'])} test"
    seeds = sorted({row.seeds for comparison in view.comparisons for row in comparison.rows if row.seeds > 1})
    if seeds:
        yield f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"


def _warnings(view: ReportData) -> Iterator[str]:
    if view.contradictions:
        yield "figures contradict each other"
    if view.failures:
        yield f"{plural(len(view.failures), 'trial')} without a result"
    if view.lost:
        yield f"{plural(len(view.lost), 'search', 'searches')} without a choice"
    for comparison in view.comparisons:
        where = f"{comparison.label}: " if len(view.comparisons) > 1 else ""
        if comparison.data and comparison.data.warning:
            yield f"{where}{percent(comparison.data.share, 0)} of the test images leaked"
    few = {row.seeds for comparison in view.comparisons for row in comparison.rows if row.interval_of == "seeds"}
    if few & {2, 3}:
        yield "two seeds" if 2 in few else "three seeds"
    one = [
        row.label
        for comparison in view.comparisons
        for row in comparison.rows
        if row.interval_of == "one trained model"
    ]
    if one:
        yield "one seed"
    parts = [data for data in view.plan["datasets"] if data.get("train_limit")]
    if parts:
        yield "a part of the training images"
    if view.mixed:
        yield "different conditions"
    named = [row for comparison in view.comparisons for row in comparison.rows if row.caveat]
    if named:
        yield f"{named[0].label} is not what it is called" if len(named) == 1 else "models with a caveat"
