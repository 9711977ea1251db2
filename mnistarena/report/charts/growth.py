"""Accuracy against the number of training images: a line a recipe, an interval at each size."""

from __future__ import annotations

import math
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import accuracy_axis, error_of, significant
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import Datum, last_rows, line_layers, told
from mnistarena.report.charts.style import Styles
from mnistarena.report.sections.growth import Growth
from mnistarena.text import plural

_STEP = 0.012
"""How far apart recipes stand at one size, as a share of the axis, so that their intervals do not cover each other."""


def growth(key: str, found: Growth, styles: Styles) -> Figure:
    """Test accuracy on a logarithmic scale of the error, by training images, logarithmic too."""
    labels = [one.label for one in found.drawn]
    rows = _rows(found)
    height = max(340, 16 * len(labels))
    layers = line_layers(
        told(rows, ("images", "training images"), ("value", "accuracy"), ("range", "95 % interval")),
        labels,
        styles,
        x=_sizes(found),
        y=accuracy_axis([row[field] for row in rows for field in ("y", "low", "high")], "test accuracy"),
        height=height,
        interval={"type": "rule", "strokeWidth": 1.5, "opacity": 0.6},
        point=44,
    )
    ends = last_rows(rows, labels)[:12]
    return finish(
        layers,
        key,
        height=height,
        kind="growth",
        subject=found.label,
        title="Test accuracy by training images",
        description=f"Test accuracy of {plural(len(labels), 'model')} by number of training images, with 95 % "
        "intervals. " + "; ".join(f"{row['model']} has {row['value']} at {row['images']}" for row in ends) + ".",
        head=("Model", "Training images", "Test accuracy", "95 % interval"),
        table=tuple((row["model"], row["images"], row["value"], row["range"]) for row in rows),
    )


def _span(found: Growth) -> float:
    """The length of the horizontal axis, logarithmic."""
    return math.log(found.sizes[-1] / found.sizes[0])


def _rows(found: Growth) -> list[Datum]:
    step = min(_STEP, 0.1 / len(found.drawn))
    rows: list[Datum] = []
    for place, one in enumerate(found.drawn):
        aside = math.exp((place - (len(found.drawn) - 1) / 2) * step * _span(found))
        for size, row in zip(found.sizes, one.rows, strict=True):
            if row is None or row.accuracy is None:
                continue
            mean, low, high = row.accuracy.estimate, row.accuracy.low, row.accuracy.high
            rows.append(
                {
                    "model": one.label,
                    "size": size,
                    "images": text.count(size),
                    "x": significant(size * aside),
                    "y": error_of(mean),
                    "low": error_of(low),
                    "high": error_of(high),
                    "value": text.percent(mean),
                    "range": f"{text.percent(low)} to {text.percent(high)}",
                }
            )
    return rows


def _sizes(found: Growth) -> Any:
    """The horizontal axis, named at each size."""
    import altair as alt

    edge = math.exp(0.06 * _span(found))
    scale = alt.Scale(type="log", domain=[found.sizes[0] / edge, found.sizes[-1] * edge], nice=False)
    axis = alt.Axis(values=list(found.sizes), format=",", title="training images", grid=False, labelOverlap=True)
    return alt.X("x:Q", scale=scale, axis=axis)
