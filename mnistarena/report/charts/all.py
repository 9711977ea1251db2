"""Every chart of a report, as Vega-Lite: drawn at three widths for the page, and at one for Markdown.

Accuracy is drawn on a logarithmic scale of the error, so that 99.0 and 99.5 % are as far apart as 90 and 95 %.
A chart's expressions use only fields that this package computed; a label or a class name is never part of one.
"""

from __future__ import annotations

from collections.abc import Iterator

from mnistarena.report.charts.across import mean_ranks
from mnistarena.report.charts.calibration import reliability
from mnistarena.report.charts.confusion import matrix
from mnistarena.report.charts.figure import Figure
from mnistarena.report.charts.forest import forest
from mnistarena.report.charts.growth import growth
from mnistarena.report.charts.learning import learning
from mnistarena.report.charts.robustness import severity
from mnistarena.report.charts.search import budget, slices
from mnistarena.report.charts.style import Styles, styles
from mnistarena.report.charts.time import time
from mnistarena.report.comparison import Comparison
from mnistarena.report.view import ReportData
from mnistarena.text import slug, unique_slug

MAX_CLASSES = 26
"""How many classes a confusion matrix may have to be drawn; with more, its largest cells are in a table."""

MAX_SEARCHED = 6
"""Of how many models each parameter that was searched for is drawn."""

MAX_LINES = 40
"""How many models' curves are drawn and tabled, the most accurate ones'; `arena export --what history` has all."""

MAX_MATRICES = 16
"""How many confusion matrices are drawn, the most accurate models'; of the others the largest cells are in a table."""


def figures(data: ReportData) -> tuple[Figure, ...]:
    """Every chart of a report, in the order of its sections."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):  # Altair would check each part against its schema, half of the time
        return _figures(data)


def _figures(data: ReportData) -> tuple[Figure, ...]:
    looks = styles(data.labels)
    found: list[Figure] = []
    if data.across and any(row.ranks for row in data.across.rows):
        found.append(mean_ranks("across-datasets", data.across, looks))
    for number, one in enumerate(data.growths, 1):
        if one.drawn:
            found.append(growth(f"training-images-{number}", one, looks))
    for comparison in data.comparisons:
        prefix = f"{unique_slug(comparison.label)}-" if len(data.comparisons) > 1 else ""
        found += _of_dataset(prefix, comparison, looks)
    return tuple(found)


def _of_dataset(prefix: str, comparison: Comparison, looks: Styles) -> Iterator[Figure]:
    """The charts of one dataset; `prefix` begins their file names."""
    best = {row.label for row in comparison.rows[:MAX_LINES]}
    if ranked := [row for row in comparison.rows[:MAX_LINES] if row.accuracy]:
        yield forest(f"{prefix}forest", comparison, ranked, looks)
    if comparison.search and any(row.budgets and row.by == comparison.search.figure for row in comparison.search.rows):
        yield budget(f"{prefix}search", comparison.label, comparison.search, looks)
        chosen = [row for row in comparison.search.rows if row.choices]
        for number, row in enumerate(sorted(chosen, key=lambda row: row.label not in best)[:MAX_SEARCHED], 1):
            yield from slices(f"{prefix}search-{number:02d}-{slug(row.label)}", comparison.label, row, looks)
    for name, every in comparison.curves.items():
        if points := [point for point in every if point.label in best]:
            yield learning(f"{prefix}{name.replace('_', '-')}", name, comparison, points, looks)
    if comparison.times:
        yield time(f"{prefix}accuracy-time", comparison, looks)
    if any(one.points for one in comparison.reliabilities):
        yield reliability(f"{prefix}calibration", comparison, looks)
    for number, corruption in enumerate(comparison.robustness.corruptions, 1):
        if corruption.parameter is not None:
            key = f"{prefix}robustness-{number:02d}-{slug(corruption.name)}"
            yield severity(key, corruption, comparison, looks)
    for number, one in enumerate(comparison.matrices[:MAX_MATRICES], 1):
        if len(one.counts) <= MAX_CLASSES:
            yield matrix(f"{prefix}confusion-{number:02d}-{slug(one.label)}", comparison, one)
