"""Accuracy against the number of training images: a line a recipe, an interval at each size."""

from __future__ import annotations

import math
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.drawing import Figure, accuracy_axis, end_layers, end_names, error_of, finish, look
from mnistarena.report.growth import Growth
from mnistarena.report.view import View

_STEP = 0.012
"""How far apart recipes stand at one size, as a share of the axis, so that their intervals do not cover each other."""


def growth(key: str, found: Growth, view: View) -> Figure:
    """Test accuracy on a logarithmic scale of the error, by training images, logarithmic too."""
    import altair as alt

    labels = [one.label for one in found.drawn]
    tests = {comparison.label: comparison.n_test for comparison in view.comparisons}
    floor = 0.5 / max(tests[found.label], 1)
    across = math.log(found.sizes[-1] / found.sizes[0])
    step = min(_STEP, 0.1 / len(labels))
    rows: list[dict[str, Any]] = []
    for place, one in enumerate(found.drawn):
        aside = math.exp((place - (len(labels) - 1) / 2) * step * across)
        for size, row in zip(found.sizes, one.rows, strict=True):
            if row is None or row.accuracy is None:
                continue
            shown = {"y": row.accuracy.estimate, "low": row.accuracy.low, "high": row.accuracy.high}
            drawn = {"x": size * aside, **{name: error_of(value, floor) for name, value in shown.items()}}
            rows.append(
                {
                    "model": one.label, "size": size, "images": text.count(size),
                    **{name: float(f"{value:.5g}") for name, value in drawn.items()},
                    "value": text.percent(row.accuracy.estimate),
                    "range": f"{text.percent(row.accuracy.low)} to {text.percent(row.accuracy.high)}",
                }
            )  # fmt: skip
    height = max(340, 16 * len(labels))
    scale, axis, domain = accuracy_axis([row[f] for row in rows for f in ("y", "low", "high")], "test accuracy")
    edge = math.exp(0.06 * across)
    x_scale = alt.Scale(type="log", domain=[found.sizes[0] / edge, found.sizes[-1] * edge], nice=False)
    x_axis = alt.Axis(values=list(found.sizes), format=",", title="training images", grid=False, labelOverlap=True)
    x = alt.X("x:Q", scale=x_scale, axis=x_axis)
    y = alt.Y("y:Q", scale=scale, axis=axis)
    colour, dash, shape = look(labels, view)
    ends = [next(row for row in reversed(rows) if row["model"] == label) for label in labels]
    names = end_names(ends, domain, height)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("images:N", title="training images"),
        alt.Tooltip("value:N", title="accuracy"),
        alt.Tooltip("range:N", title="95 % interval"),
    ]
    layers = [
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
            x, alt.Y("low:Q", scale=scale, axis=axis), alt.Y2("high:Q"), colour
        ),
        base.mark_line(strokeWidth=2).encode(x, y, colour, dash),
        base.mark_point(size=44, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
        *end_layers(names, alt.Y("at:Q", scale=scale, axis=axis), colour, shape),
    ]
    return finish(
        alt.layer(*layers).properties(height=height, padding={"left": 4, "top": 8, "right": 4, "bottom": 4}),
        key,
        "growth",
        None,
        subject=found.label,
        title="Test accuracy by training images",
        description=f"Test accuracy of {text.plural(len(labels), 'model')} by number of training images, with 95 % "
        "intervals. " + "; ".join(f"{row['model']} has {row['value']} at {row['images']}" for row in ends[:12]) + ".",
        head=("Model", "Training images", "Test accuracy", "95 % interval"),
        table=tuple((row["model"], row["images"], row["value"], row["range"]) for row in rows),
    )
