"""The chart of one corruption: accuracy against its severity."""

from __future__ import annotations

from typing import Any

from mnistarena.report import format as text
from mnistarena.report.comparison import Comparison
from mnistarena.report.drawing import Figure, end_layers, finish, look, short, spread
from mnistarena.report.robustness import Corruption
from mnistarena.report.view import View

HEIGHT = 240
CLEAN = "clean"


def severity(key: str, corruption: Corruption, comparison: Comparison, view: View) -> Figure:
    """A line a model, from the clean test images to the strongest view, with 95 % intervals."""
    import altair as alt

    found = comparison.robustness
    clean = {one.label: one.clean for one in found.recipes}
    rows: list[dict[str, Any]] = []
    for label, interval in clean.items():
        points = [(CLEAN, interval), *((p.severity, p.accuracy) for p in corruption.points if p.label == label)]
        rows += [
            {
                "model": label, "severity": name, "place": place, "y": round(100 * i.estimate, 3),
                "low": round(100 * i.low, 3), "high": round(100 * i.high, 3), "value": text.percent(i.estimate),
                "range": f"{text.percent(i.low)} to {text.percent(i.high)}",
            }
            for place, (name, i) in enumerate(points)
        ]  # fmt: skip
    labels = list(clean)
    order = [CLEAN, *corruption.severities]
    height = max(HEIGHT, 15 * len(labels))
    least = min(row["low"] for row in rows)
    domain = [max(0.0, 10 * (least // 10)), 100.0]
    ends = [next(row for row in reversed(rows) if row["model"] == label) for label in labels]
    pixels = [(1 - (row["y"] - domain[0]) / (domain[1] - domain[0])) * height for row in ends]
    names = [
        {
            "model": row["model"],
            "name": short(row["model"]),
            "at": domain[0] + (1 - place / height) * (domain[1] - domain[0]),
        }
        for row, place in zip(ends, spread(pixels, 15, height), strict=True)
    ]
    colour, dash, shape = look(labels, view)
    scale = alt.Scale(domain=domain, nice=False)
    axis = alt.Axis(title="", labelExpr="datum.value + ' %'", tickCount=5)
    title = (corruption.parameter or corruption.name).replace("_", " ")
    ticks = alt.Axis(values=list(range(len(order))), labelExpr="names[datum.value]", title=title, grid=False)
    x = alt.X("place:Q", scale=alt.Scale(domain=[0, len(order) - 1], nice=False), axis=ticks)
    y = alt.Y("y:Q", scale=scale, axis=axis)
    base = alt.Chart(alt.InlineData(values=rows))
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("severity:N"),
        alt.Tooltip("value:N", title="accuracy"),
        alt.Tooltip("range:N", title="95 % interval"),
    ]
    layers = [
        base.mark_rule(strokeWidth=1.5).encode(x, alt.Y("low:Q", scale=scale, axis=axis), alt.Y2("high:Q"), colour),
        base.mark_line(strokeWidth=2).encode(x, y, colour, dash),
        base.mark_point(size=34, filled=True, opacity=1).encode(x, y, colour, shape, tooltip=tips),
        *end_layers(names, alt.Y("at:Q", scale=scale, axis=axis), colour, shape),
    ]
    chart = (
        alt.layer(*layers)
        .properties(height=height, padding={"left": 4, "top": 8, "right": 4, "bottom": 4})
        .add_params(alt.param(name="names", value=order))
    )
    return finish(
        chart,
        key,
        "robustness",
        comparison,
        subject=corruption.name,
        title=f"Accuracy under {corruption.name}",
        description=f"Test accuracy of {text.plural(len(labels), 'model')} by {title}, from clean images on. "
        + "; ".join(f"{row['model']} ends at {row['value']}" for row in ends[:12])
        + ".",
        head=("Model", title.capitalize(), "Accuracy", "95 % interval"),
        table=tuple((row["model"], row["severity"], row["value"], row["range"]) for row in rows),
    )
