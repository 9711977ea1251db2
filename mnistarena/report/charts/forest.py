"""The leaderboard as a forest plot: the accuracy of every model with its interval and its seeds, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import Axis, accuracy_axis, error_of, significant
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import Datum, chart_of, look, told
from mnistarena.report.charts.style import GRID, Styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.ranking import Row
from mnistarena.text import plural

ROW = 24
"""Height (pixels) of a model's row."""


def forest(key: str, comparison: Comparison, rows: Sequence[Row], styles: Styles) -> Figure:
    """A row a model, in the order of `rows`, which have an accuracy each. An open mark is of one trained model."""
    drawn = [_row(at, row) for at, row in enumerate(rows)]
    seeds = [
        {"model": row.label, "at": at, "seed": significant(error_of(value))}
        for at, row in enumerate(rows)
        for value in row.seed_accuracies
        if row.interval_of != "one trained model"
    ]
    reach = [one[field] for one in drawn for field in ("mean", "low", "high")] + [one["seed"] for one in seeds]
    x = accuracy_axis(reach, "test accuracy, 95 % interval")
    best, last = max(rows, key=_mean), min(rows, key=_mean)
    ends = f", from {last.label} {text.percent(_mean(last))} to {best.label} {text.percent(_mean(best))}"
    return finish(
        _layers(drawn, seeds, x, styles),
        key,
        height=ROW * len(rows),
        # A label is text of the plan, so the axis shows it by its place in a parameter, never as an expression.
        names=[row.label for row in rows],
        kind="forest",
        dataset=comparison.label,
        title="Test accuracy with 95 % intervals",
        description=f"Test accuracy of {plural(len(rows), 'model')} with 95 % intervals{ends}.",
        head=("Model", "Test accuracy", "95 % interval", "Seeds"),
        table=tuple(
            (row.label, one["accuracy"], one["interval"], text.series(map(text.percent, row.seed_accuracies), limit=40))
            for row, one in zip(rows, drawn, strict=True)
        ),
    )


def _mean(row: Row) -> float:
    return row.mean or 0.0


def _row(at: int, row: Row) -> Datum:
    found = row.accuracy
    assert found is not None
    return {
        "model": row.label,
        "at": at,
        "mean": significant(error_of(found.estimate)),
        "low": significant(error_of(found.low)),
        "high": significant(error_of(found.high)),
        "open": row.interval_of == "one trained model",
        "accuracy": text.percent(found.estimate),
        "interval": f"{text.percent(found.low)} to {text.percent(found.high)}",
    }


def _layers(drawn: list[Datum], seeds: list[Datum], x: Axis, styles: Styles) -> list[Any]:
    """Interval, seeds, mean, and the mean as text at the right edge."""
    import altair as alt

    marks = look([row["model"] for row in drawn], styles)
    names = alt.Axis(
        values=list(range(len(drawn))), labelExpr="names[datum.value]", title="", ticks=False, domain=False,
        labelLimit=240, labelPadding=8, gridColor=GRID,
    )  # fmt: skip
    y = Axis(names, (len(drawn) - 0.5, -0.5), kind="linear")
    base = chart_of(drawn)
    every = chart_of(seeds)
    right = base.mark_text(align="left", baseline="middle", dx=8)
    said = told(drawn, ("accuracy", "accuracy"), ("interval", "95 % interval"))
    kinds = {filled: [row for row in said if row["open"] is not filled] for filled in (True, False)}
    return [
        base.mark_rule(strokeWidth=2.5).encode(x.x("low"), y.y("at"), marks.colour, alt.X2("high:Q")),
        every.mark_tick(thickness=1.5, size=12, opacity=0.6).encode(x.x("seed"), y.y("at"), marks.colour),
        *(
            chart_of(those)
            .mark_point(size=80, filled=filled, opacity=1, aria=True)
            .encode(x.x("mean"), y.y("at"), marks.colour, marks.shape, alt.Description("told:N"))
            for filled, those in kinds.items()
            if those
        ),
        right.encode(y.y("at"), alt.Text("accuracy:N"), alt.XValue("width")),
    ]
