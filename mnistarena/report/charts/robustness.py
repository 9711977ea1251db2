"""The chart of one corruption: accuracy against its severity."""

from __future__ import annotations

from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import Axis
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import LABEL, Datum, last_rows, line_layers, told
from mnistarena.report.charts.style import Styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.robustness import Corruption
from mnistarena.stats.intervals import Interval
from mnistarena.text import plural

HEIGHT = 170
CLEAN = "clean"


def severity(key: str, corruption: Corruption, comparison: Comparison, styles: Styles) -> Figure:
    """A line a model, from the clean test images to the strongest view, with 95 % intervals."""
    clean = {one.label: one.clean for one in comparison.robustness.recipes}
    labels = list(clean)
    rows: list[Datum] = []
    for label, interval in clean.items():
        rows.append(_row(label, CLEAN, 0, interval))
        seen = [point for point in corruption.points if point.label == label]
        rows += [_row(label, p.severity, 1 + corruption.severities.index(p.severity), p.accuracy) for p in seen]
    height = max(HEIGHT, LABEL * len(labels))
    order = [CLEAN, *corruption.severities]
    title = (corruption.parameter or corruption.name).replace("_", " ")
    layers = line_layers(
        told(rows, ("severity", "severity"), ("value", "accuracy"), ("range", "95 % interval")),
        labels,
        styles,
        x=_severities(len(order), title),
        y=_percent_axis(min(row["low"] for row in rows)),
        height=height,
        interval={"type": "rule", "strokeWidth": 1.5},
        point=34,
    )
    return finish(
        layers,
        key,
        height=height,
        # A severity is text of the plan, so the axis shows it by its place in a parameter, never as an expression.
        names=order,
        kind="robustness",
        dataset=comparison.label,
        subject=corruption.name,
        title=f"Accuracy under {corruption.name}",
        description=f"Test accuracy of {plural(len(labels), 'model')} by {title}, from clean images on. "
        + "; ".join(f"{row['model']} ends at {row['value']}" for row in last_rows(rows, labels)[:12])
        + ".",
        head=("Model", title.capitalize(), "Accuracy", "95 % interval"),
        table=tuple((row["model"], row["severity"], row["value"], row["range"]) for row in rows),
    )


def _row(label: str, severity: str, place: int, accuracy: Interval) -> Datum:
    return {
        "model": label,
        "severity": severity,
        "place": place,
        "y": round(100 * accuracy.estimate, 3),
        "low": round(100 * accuracy.low, 3),
        "high": round(100 * accuracy.high, 3),
        "value": text.percent(accuracy.estimate),
        "range": f"{text.percent(accuracy.low)} to {text.percent(accuracy.high)}",
    }


def _severities(count: int, title: str) -> Any:
    """The horizontal axis, a tick a severity."""
    import altair as alt

    axis = alt.Axis(values=list(range(count)), labelExpr="names[datum.value]", title=title, grid=False)
    return alt.X("place:Q", scale=alt.Scale(domain=[0, count - 1], nice=False), axis=axis)


def _percent_axis(least: float) -> Axis:
    """A linear axis of accuracies in percent, from the ten below the least of them."""
    import altair as alt

    domain = (max(0.0, 10 * (least // 10)), 100.0)
    axis = alt.Axis(title="", labelExpr="datum.value + ' %'", tickCount=5)
    return Axis(axis, domain, kind="linear")
