"""The reliability curve: how often models are wrong where they say how often they are."""

from __future__ import annotations

from typing import Any

from mnistarena.report import format as text
from mnistarena.report.comparison import Comparison
from mnistarena.report.drawing import Figure, accuracy_axis, end_layers, end_names, finish, look
from mnistarena.report.style import RULE
from mnistarena.report.view import View

MOST = 12
"""As many lines as can be told apart; the others are in the table."""


def reliability(key: str, comparison: Comparison, view: View) -> Figure:
    """Accuracy against confidence, both on a logarithmic scale of the error; the diagonal is honesty."""
    import altair as alt

    drawn = [one for one in comparison.reliabilities if one.points][:MOST]
    rows: list[dict[str, Any]] = []
    table: list[tuple[str, ...]] = []
    for one in comparison.reliabilities:
        for stated, wrong, low, high, images in one.points:
            floor = 0.5 / images
            x, y, least, most = (max(value, floor) for value in (stated, wrong, low, high))
            interval = f"{text.percent(1 - high)} to {text.percent(1 - low)}"
            row = {"model": one.label, "x": max(x, 1e-5), "y": y, "low": least, "high": most}
            row = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}
            row |= {"said": text.percent(1 - stated), "was": text.percent(1 - wrong), "interval": interval, "n": images}
            if one in drawn:
                rows.append(row)
            table.append((one.label, str(row["said"]), str(row["was"]), interval, f"{images:,}"))
    y_scale, y_axis, y_domain = accuracy_axis([row[f] for row in rows for f in ("y", "low", "high")], "accuracy")
    x_scale, x_axis, x_domain = accuracy_axis([row["x"] for row in rows], "the model's own confidence")
    labels = [one.label for one in drawn]
    height = max(340, 15 * len(labels))
    colour, dash, shape = look(labels, view)
    x = alt.X("x:Q", scale=x_scale, axis=x_axis)
    y = alt.Y("y:Q", scale=y_scale, axis=y_axis)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("said:N", title="confidence"),
        alt.Tooltip("was:N", title="accuracy"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="images a seed"),
    ]
    # The honest line, as far as both axes reach.
    most, least = min(x_domain[0], y_domain[0]), max(x_domain[1], y_domain[1])
    honest = [{"x": most, "y": most}, {"x": least, "y": least}] if most > least else []
    ends = [next(row for row in reversed(rows) if row["model"] == label) for label in labels]
    names = end_names(ends, y_domain, height)
    layers = [
        alt.Chart(alt.InlineData(values=honest)).mark_line(color=RULE, strokeWidth=1.5).encode(x, y),
        base.mark_rule(strokeWidth=1, opacity=0.5).encode(
            x, alt.Y("low:Q", scale=y_scale, axis=y_axis), alt.Y2("high:Q"), colour
        ),
        base.mark_line(strokeWidth=1.6).encode(x, y, colour, dash),
        base.mark_point(size=36, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
        *end_layers(names, alt.Y("at:Q", scale=y_scale, axis=y_axis), colour, shape),
    ]
    return finish(
        alt.layer(*layers).properties(height=height, padding={"left": 4, "top": 8, "right": 4, "bottom": 4}),
        key,
        "calibration",
        comparison,
        subject="",
        title="Accuracy where models say how sure they are",
        description="Accuracy against the models' own confidence, in bins of like confidence, with 95 % intervals; "
        "below the diagonal a model is surer than it may be. "
        + "; ".join(f"{one.label}: expected calibration error {text.percent(one.ece)}" for one in drawn)
        + ".",
        head=("Model", "Confidence", "Accuracy", "95 % interval", "Images a seed"),
        table=tuple(table),
    )
