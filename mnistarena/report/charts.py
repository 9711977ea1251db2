"""The view's charts, as Vega-Lite: interactive in the page and SVG beside the Markdown, from one definition.

Accuracy is drawn on a logarithmic scale of the error, so that 99.0 and 99.5 % are as far apart as 90 and 95 %.
Chart code may use fields that this module computed, never a label or class name as an expression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnistarena.files import slug, unique_slug
from mnistarena.report import format as text
from mnistarena.report.comparison import Comparison
from mnistarena.report.confusion import confusion
from mnistarena.report.drawing import (
    TIMES,
    Figure,
    accuracy_axis,
    end_layers,
    end_names,
    error_of,
    finish,
    look,
    loss_axis,
    short,
    spread,
)
from mnistarena.report.evidence import CurvePoint
from mnistarena.report.growthchart import growth
from mnistarena.report.rankchart import ranking
from mnistarena.report.reliability import reliability
from mnistarena.report.severity import severity
from mnistarena.report.style import RULE
from mnistarena.report.view import View

ROOM = 16
"""As many labels as can stand beside points without hiding each other."""

MAX_CLASSES = 26
"""Beyond this many classes a confusion matrix is told by its worst cells only."""

MAX_LINES = 40
"""So many models' curves are drawn and tabled, the most accurate ones'; `arena export --what history` has all."""

MAX_MATRICES = 16
"""So many confusion matrices are drawn, the most accurate models'; the others are told by their worst cells."""

_TITLES = {
    "validation_accuracy": "Validation accuracy",
    "validation_loss": "Validation loss",
    "train_loss": "Training loss",
}


def figures(view: View) -> tuple[Figure, ...]:
    """Every chart of a report, in the order of its sections."""
    found: list[Figure] = []
    if view.across and any(row.ranks for row in view.across.rows):
        found.append(ranking("across-datasets", view.across, view))
    found += [growth(f"training-images-{number}", one, view) for number, one in enumerate(view.growths, 1) if one.drawn]
    for comparison in view.comparisons:
        prefix = f"{unique_slug(comparison.label)}-" if len(view.comparisons) > 1 else ""
        best = {row.label for row in comparison.rows[:MAX_LINES]}
        for name, every in comparison.curves.items():
            if points := [point for point in every if point.label in best]:
                found.append(_curve(f"{prefix}{name.replace('_', '-')}", name, comparison, points, view))
        if comparison.times:
            found.append(_time(f"{prefix}accuracy-time", comparison, view))
        if any(one.points for one in comparison.reliabilities):
            found.append(reliability(f"{prefix}calibration", comparison, view))
        for number, corruption in enumerate(comparison.robustness.corruptions, 1):
            if corruption.parameter is not None:
                key = f"{prefix}robustness-{number:02d}-{slug(corruption.name)}"
                found.append(severity(key, corruption, comparison, view))
        for number, matrix in enumerate(comparison.matrices, 1):
            if len(matrix.counts) <= MAX_CLASSES and number <= MAX_MATRICES:
                key = f"{prefix}confusion-{number:02d}-{slug(matrix.label)}"
                found.append(confusion(key, comparison, matrix))
    return tuple(found)


def _curve(key: str, name: str, comparison: Comparison, points: Sequence[CurvePoint], view: View) -> Figure:
    import altair as alt

    labels = list(dict.fromkeys(point.label for point in points))
    accuracy = name == "validation_accuracy"
    floor = 0.5 / max(comparison.dataset.get("n_validation") or 1000, 1) if accuracy else 1e-5

    def place(value: float) -> float:
        return error_of(value, floor) if accuracy else max(value, floor)

    show = text.percent if accuracy else text.decimal
    rows: list[dict[str, Any]] = [
        {
            "model": p.label, "epoch": p.epoch, "y": place(p.mean), "low": place(p.low), "high": place(p.high),
            "value": show(p.mean), "range": f"{show(p.low)} to {show(p.high)}",
        }
        for p in points
    ]  # fmt: skip
    rows = [{k: float(f"{v:.5g}") if k in ("y", "low", "high") else v for k, v in row.items()} for row in rows]
    values = [row[field] for row in rows for field in ("y", "low", "high")]
    height = max(300 if accuracy else 240, 15 * len(labels))
    if accuracy:
        scale, axis, domain = accuracy_axis(values, "")
    else:
        scale, axis, domain = loss_axis(values)
    last = max(row["epoch"] for row in rows)
    first = min(row["epoch"] for row in rows)
    ends = [next(row for row in reversed(rows) if row["model"] == label) for label in labels]
    names = end_names(ends, domain, height)
    colour, dash, shape = look(labels, view)
    span = [first, last] if last > first else [first - 0.5, last + 0.5]
    step = max(1, math.ceil((last - first) / 10))
    ticks = list(range(math.ceil(first), int(last) + 1, step))
    x_axis = alt.Axis(format="d", values=ticks, title="epoch", grid=False)
    x = alt.X("epoch:Q", scale=alt.Scale(domain=span, nice=False), axis=x_axis)
    y = alt.Y("y:Q", scale=scale, axis=axis)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("value:N", title="mean"),
        alt.Tooltip("range:N", title="seeds"),
    ]
    layers = [
        base.mark_area(opacity=0.16).encode(x, alt.Y("low:Q", scale=scale, axis=axis), alt.Y2("high:Q"), colour),
        base.mark_line(strokeWidth=2).encode(x, y, colour, dash),
        base.mark_point(size=26, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
        *end_layers(names, alt.Y("at:Q", scale=scale, axis=axis), colour, shape),
    ]
    chart = alt.layer(*layers).properties(height=height, padding={"left": 4, "top": 8, "right": 4, "bottom": 4})
    seeds = max((len(row.seed_accuracies) for row in comparison.rows), default=1)
    band = "; bands span the seeds" if seeds > 1 else ""
    return finish(
        chart,
        key,
        "accuracy" if accuracy else "loss",
        comparison,
        subject="",
        title=f"{_TITLES[name]} by epoch",
        description=f"{_TITLES[name]} of {text.plural(len(labels), 'model')} by epoch, mean over seeds{band}. "
        + "; ".join(f"{row['model']} ends at {row['value']}" for row in ends[:12])
        + ".",
        head=("Model", "Epoch", "Mean over seeds", "Lowest to highest seed"),
        table=tuple((row["model"], f"{row['epoch']:g}", row["value"], row["range"]) for row in rows),
    )


def _time(key: str, comparison: Comparison, view: View) -> Figure:
    import altair as alt

    floor = 0.5 / max(comparison.n_test, 1)
    rows: list[dict[str, Any]] = [
        {
            "model": p.label, "name": short(p.label), "seconds": p.seconds, "fastest": p.fastest, "slowest": p.slowest,
            "y": error_of(p.accuracy.estimate, floor), "low": error_of(p.accuracy.low, floor),
            "high": error_of(p.accuracy.high, floor), "took": text.seconds(p.seconds),
            "accuracy": text.percent(p.accuracy.estimate),
            "interval": f"{text.percent(p.accuracy.low)} to {text.percent(p.accuracy.high)}",
        }
        for p in comparison.times
    ]  # fmt: skip
    rows = [{k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    scale, axis, domain = accuracy_axis([row[f] for row in rows for f in ("y", "low", "high")], "test accuracy")
    least, most = min(row["fastest"] for row in rows), max(row["slowest"] for row in rows)
    reach = [least / 1.5, most * 1.5]
    height = max(340, 16 * len(rows))
    named = _named(comparison)
    across, up = math.log(reach[1] / reach[0]), math.log(domain[1] / domain[0])
    for row in rows:
        row["left"] = math.log(row["seconds"] / reach[0]) / across > 0.62
    for side in (True, False):  # labels to the left of their point, then those to the right
        group = [row for row in rows if row["left"] is side and row["model"] in named]
        pixels = [(1 - math.log(row["y"] / domain[0]) / up) * height - 9 for row in group]
        for row, moved in zip(group, spread(pixels, 15, height), strict=True):
            row["at"] = float(f"{domain[0] * math.exp((1 - moved / height) * up):.5g}")
    labels = [row["model"] for row in rows]
    colour, _, shape = look(labels, view)
    label = (
        "datum.value < 1 ? format(datum.value * 1000, '~g') + ' ms'"
        " : datum.value < 60 ? format(datum.value, '~g') + ' s'"
        " : datum.value < 3600 ? format(datum.value / 60, '~g') + ' min' : format(datum.value / 3600, '~g') + ' h'"
    )
    ticks = [tick for tick in TIMES if reach[0] <= tick <= reach[1]]
    x_scale = alt.Scale(type="log", domain=reach, nice=False)
    x_axis = alt.Axis(values=ticks, labelExpr=label, title="training time, mean over seeds", grid=False)
    x = alt.X("seconds:Q", scale=x_scale, axis=x_axis)
    y = alt.Y("y:Q", scale=scale, axis=axis)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("accuracy:N"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("took:N", title="training"),
    ]
    layers = []
    front = sorted((row["seconds"], row["y"]) for row, p in zip(rows, comparison.times, strict=True) if p.front)
    if comparison.times_comparable and len(front) > 1:
        path = [{"seconds": s, "y": e} for s, e in front]
        path = [*path, {"seconds": reach[1], "y": path[-1]["y"]}]
        layers.append(
            alt.Chart(alt.InlineData(values=path))
            .mark_line(interpolate="step-after", color=RULE, strokeWidth=1.5)
            .encode(x, y)
        )
    layers += [
        base.mark_rule(strokeWidth=1.5).encode(x, alt.Y("low:Q", scale=scale, axis=axis), alt.Y2("high:Q"), colour),
        base.mark_rule(strokeWidth=1.5).encode(
            alt.X("fastest:Q", scale=x_scale, axis=x_axis), y, colour, x2="slowest:Q"
        ),
        base.mark_point(size=90, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
    ]
    for side, align, dx in ((True, "right", -10), (False, "left", 10)):
        group = [row for row in rows if row["left"] is side and row["model"] in named]
        if group:
            layers.append(
                alt.Chart(alt.InlineData(values=group))
                .mark_text(align=align, baseline="middle", dx=dx)
                .encode(x, alt.Y("at:Q", scale=scale, axis=axis), alt.Text("name:N"))
            )
    front_names = text.series(p.label for p in comparison.times if p.front)
    return finish(
        alt.layer(*layers).properties(height=height, padding={"left": 4, "top": 8, "right": 12, "bottom": 4}),
        key,
        "time",
        comparison,
        subject="",
        title="Test accuracy against training time",
        description=f"Test accuracy against training time of {text.plural(len(rows), 'model')}, with 95 % intervals"
        + (f". Pareto front: {front_names}." if comparison.times_comparable else "; times of unlike conditions."),
        head=("Model", "Training time", "Test accuracy", "95 % interval"),
        table=tuple((row["model"], row["took"], row["accuracy"], row["interval"]) for row in rows),
    )


def _named(comparison: Comparison) -> set[str]:
    """Whose names stand in the chart: everybody's while there is room, else the front's, else its ends'."""
    front = sorted((point for point in comparison.times if point.front), key=lambda point: point.seconds)
    for group in (comparison.times, front):
        if len(group) <= ROOM:
            return {point.label for point in group}
    return {front[0].label, front[-1].label}
