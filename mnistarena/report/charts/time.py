"""Test accuracy against training time, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import Axis, accuracy_axis, error_of, significant
from mnistarena.report.charts.figure import PADDING, Figure, finish
from mnistarena.report.charts.layers import LABEL, Datum, chart_of, look, spread, told
from mnistarena.report.charts.style import RULE, Styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.time import TimePoint
from mnistarena.text import plural

ROOM = 16
"""How many labels can stand beside points without hiding each other."""
_TICKS = (0.001, 0.01, 0.1, 0.3, 1, 3, 10, 20, 40, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
"""Training times (s) that the axis may name."""
_UNITS = (
    "datum.value < 1 ? format(datum.value * 1000, '~g') + ' ms'"
    " : datum.value < 60 ? format(datum.value, '~g') + ' s'"
    " : datum.value < 3600 ? format(datum.value / 60, '~g') + ' min' : format(datum.value / 3600, '~g') + ' h'"
)
"""A Vega expression: a tick's time in the unit that suits it."""


def time(key: str, comparison: Comparison, styles: Styles) -> Figure:
    """A point a model with its 95 % interval and its fastest and slowest seed."""
    points = comparison.times
    rows = [_row(point) for point in points]
    height = max(340, 16 * len(rows))
    y = accuracy_axis([row[field] for row in rows for field in ("y", "low", "high")], "test accuracy")
    x = _time_axis(min(row["fastest"] for row in rows), max(row["slowest"] for row in rows))
    named = _named(points)
    for row in rows:
        row["left"] = x.share(row["seconds"]) > 0.62
    sides = [[row for row in rows if row["left"] is left and row["model"] in named] for left in (True, False)]
    for side in sides:
        pixels = [(1 - y.share(row["y"])) * height - 9 for row in side]
        for row, moved in zip(side, spread(pixels, LABEL, height), strict=True):
            row["at"] = significant(y.value(1 - moved / height))
    layers = [
        *(_front(rows, points, x, y) if comparison.times_comparable else []),
        *_points(rows, x, y, styles),
        *(_names(side, x, y) for side in sides if side),
    ]
    front = text.series(point.label for point in points if point.front)
    return finish(
        layers,
        key,
        height=height,
        padding={**PADDING, "right": 12},
        kind="time",
        dataset=comparison.label,
        title="Test accuracy against training time",
        description=f"Test accuracy against training time of {plural(len(rows), 'model')}, with 95 % intervals"
        + (f". Pareto front: {front}." if comparison.times_comparable else "; times under different conditions."),
        head=("Model", "Training time", "Test accuracy", "95 % interval"),
        table=tuple((row["model"], row["took"], row["accuracy"], row["interval"]) for row in rows),
    )


def _row(point: TimePoint) -> Datum:
    accuracy = point.accuracy
    return {
        "model": point.label,
        "seconds": significant(point.seconds),
        "fastest": significant(point.fastest),
        "slowest": significant(point.slowest),
        "y": error_of(accuracy.estimate),
        "low": error_of(accuracy.low),
        "high": error_of(accuracy.high),
        "took": text.seconds(point.seconds),
        "accuracy": text.percent(accuracy.estimate),
        "interval": f"{text.percent(accuracy.low)} to {text.percent(accuracy.high)}",
    }


def _time_axis(least: float, most: float) -> Axis:
    """A logarithmic axis from a little less than the least time to a little more than the most."""
    import altair as alt

    reach = (least / 1.5, most * 1.5)
    ticks = [tick for tick in _TICKS if reach[0] <= tick <= reach[1]]
    axis = alt.Axis(values=ticks, labelExpr=_UNITS, title="training time, mean over seeds", grid=False)
    return Axis(axis, reach)


def _named(points: Sequence[TimePoint]) -> set[str]:
    """The models with a name in the chart: all while there is room, else the front, else the ends of the front."""
    front = sorted((point for point in points if point.front), key=lambda point: point.seconds)
    for group in (points, front):
        if len(group) <= ROOM:
            return {point.label for point in group}
    return {front[0].label, front[-1].label}


def _front(rows: Sequence[Datum], points: Sequence[TimePoint], x: Axis, y: Axis) -> list[Any]:
    """The line of the Pareto front, to the right edge; none for a single point."""
    front = sorted((row["seconds"], row["y"]) for row, point in zip(rows, points, strict=True) if point.front)
    if len(front) < 2:
        return []
    path = [*({"seconds": s, "y": error} for s, error in front), {"seconds": x.domain[1], "y": front[-1][1]}]
    chart = chart_of(path)
    return [chart.mark_line(interpolate="step-after", color=RULE, strokeWidth=1.5).encode(x.x("seconds"), y.y("y"))]


def _points(rows: list[Datum], x: Axis, y: Axis, styles: Styles) -> list[Any]:
    """The points, with a vertical bar for the interval and a horizontal one for the seeds' times."""
    import altair as alt

    marks = look([row["model"] for row in rows], styles)
    said = told(rows, ("accuracy", "accuracy"), ("interval", "95 % interval"), ("took", "training"))
    base = chart_of(said)
    bar = base.mark_rule(strokeWidth=1.5, aria=True)
    return [
        bar.encode(x.x("seconds"), y.y("low"), alt.Y2("high:Q"), marks.colour, alt.Description("model:N")),
        bar.encode(x.x("fastest"), y.y("y"), marks.colour, alt.X2("slowest:Q"), alt.Description("model:N")),
        base.mark_point(size=90, filled=True, opacity=1, aria=True).encode(
            x.x("seconds"), y.y("y"), marks.colour, marks.shape, alt.Description("told:N")
        ),
    ]


def _names(rows: list[Datum], x: Axis, y: Axis) -> Any:
    """The names on one side of their points."""
    import altair as alt

    align, dx = ("right", -10) if rows[0]["left"] else ("left", 10)
    chart = chart_of(rows)
    text_of = chart.mark_text(align=align, baseline="middle", dx=dx, aria=True)
    return text_of.encode(x.x("seconds"), y.y("at"), alt.Text("model:N"), alt.Description("model:N"))
