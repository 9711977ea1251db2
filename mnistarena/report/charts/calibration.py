"""The reliability curve: accuracy against the models' own confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import Axis, accuracy_axis, significant
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import LABEL, Datum, chart_of, line_layers, told
from mnistarena.report.charts.style import RULE, Styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.calibration import Reliability, ReliabilityPoint

MOST = 12
"""How many lines can be told apart; the others are in the table."""


def reliability(key: str, comparison: Comparison, styles: Styles) -> Figure:
    """Accuracy against confidence, both on a logarithmic scale of the error; diagonal: perfect calibration.

    Bins without an error have an open mark, at 100 %.
    """
    found = comparison.reliabilities
    drawn = [one for one in found if one.points][:MOST]
    rows = [_row(one.label, point) for one in drawn for point in one.points]
    labels = [one.label for one in drawn]
    height = max(340, LABEL * len(labels))
    y = accuracy_axis([row[field] for row in rows for field in ("y", "low", "high")], "accuracy")
    x = accuracy_axis([row["x"] for row in rows], "the model's own confidence")
    lines = line_layers(
        told(rows, ("said", "confidence"), ("was", "accuracy"), ("interval", "95 % interval"), ("n", "images a seed")),
        labels,
        styles,
        x=x.x("x"),
        y=y,
        height=height,
        interval={"type": "rule", "strokeWidth": 1, "opacity": 0.5},
        line=1.6,
        point=36,
    )
    return finish(
        [_diagonal(x, y), *lines],
        key,
        height=height,
        kind="calibration",
        dataset=comparison.label,
        title="Accuracy by confidence",
        description="Accuracy against the models' own confidence, in bins of similar confidence, with 95 % intervals; "
        "below the diagonal a model is overconfident. "
        + "; ".join(f"{one.label}: expected calibration error {text.percent(one.ece)}" for one in drawn)
        + ".",
        head=("Model", "Confidence", "Accuracy", "95 % interval", "Images a seed"),
        table=_table(found),
    )


def _row(label: str, point: ReliabilityPoint) -> Datum:
    x, y, low, high = (significant(value, 4) for value in (point.stated, point.wrong, point.low, point.high))
    return {
        "model": label,
        "x": x,
        "y": y,
        "low": low,
        "high": high,
        "open": point.wrong == 0,
        "said": text.percent(1 - point.stated),
        "was": _accuracy(point),
        "interval": _interval(point),
        "n": point.images,
    }


def _accuracy(point: ReliabilityPoint) -> str:
    errors = f" (0 of {point.images:,} wrong)" if point.wrong == 0 else ""
    return f"{text.percent(1 - point.wrong)}{errors}"


def _interval(point: ReliabilityPoint) -> str:
    return f"{text.percent(1 - point.high)} to {text.percent(1 - point.low)}"


def _diagonal(x: Axis, y: Axis) -> Any:
    """The line of perfect calibration, as far as both axes reach."""
    most, least = min(x.domain[0], y.domain[0]), max(x.domain[1], y.domain[1])
    first, last = x.share(most), x.share(least)
    # Where one of the two axes has a place for zero, it is no straight line.
    values = [x.value(first + (last - first) * step / 60) for step in range(61)] if most > least else []
    chart = chart_of([{"x": significant(v), "y": significant(v)} for v in values])
    return chart.mark_line(color=RULE, strokeWidth=1.5).encode(x.x("x"), y.y("y"))


def _table(found: Sequence[Reliability]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            one.label,
            text.percent(1 - point.stated),
            _accuracy(point),
            _interval(point),
            f"{point.images:,}",
        )
        for one in found
        for point in one.points
    )
