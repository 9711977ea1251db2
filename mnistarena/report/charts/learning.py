"""Learning curves: a line a model, a band over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.axes import accuracy_axis, error_of, loss_axis, significant
from mnistarena.report.charts.figure import WIDTHS, Figure, finish
from mnistarena.report.charts.layers import LABEL, Datum, last_rows, line_layers, told
from mnistarena.report.charts.style import Styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.learning import Curve, CurvePoint
from mnistarena.text import plural

_TITLES: dict[Curve, str] = {
    "validation_accuracy": "Validation accuracy",
    "validation_loss": "Validation loss",
    "train_loss": "Training loss",
}


def learning(key: str, name: Curve, comparison: Comparison, points: Sequence[CurvePoint], styles: Styles) -> Figure:
    """A curve of the training by epoch; `points` are those of the models to draw."""
    labels = list(dict.fromkeys(point.label for point in points))
    accuracy = name == "validation_accuracy"
    rows = [_row(point, accuracy=accuracy) for point in points]
    drawn = _drawn(points, rows)
    values = [row[field] for row in rows for field in ("y", "low", "high")]
    height = max(300 if accuracy else 240, LABEL * len(labels))
    layers = line_layers(
        told(drawn, ("epoch", "epoch"), ("value", "mean"), ("range", "seeds")),
        labels,
        styles,
        x=_epochs([row["epoch"] for row in drawn]),
        y=accuracy_axis(values, "") if accuracy else loss_axis(values),
        height=height,
        interval={"type": "area", "opacity": 0.16},
        point=26,
    )
    seeds = max((len(row.seed_accuracies) for row in comparison.rows), default=1)
    band = "; bands span the seeds" if seeds > 1 else ""
    return finish(
        layers,
        key,
        height=height,
        kind="accuracy" if accuracy else "loss",
        dataset=comparison.label,
        title=f"{_TITLES[name]} by epoch",
        description=f"{_TITLES[name]} of {plural(len(labels), 'model')} by epoch, mean over seeds{band}. "
        + "; ".join(f"{row['model']} ends at {row['value']}" for row in last_rows(rows, labels)[:12])
        + ".",
        head=("Model", "Epoch", "Mean over seeds", "Lowest to highest seed"),
        table=tuple(
            (row["model"], "at once" if point.at_once else f"{row['epoch']:g}", row["value"], row["range"])
            for point, row in zip(points, rows, strict=True)
        ),
        widths=WIDTHS if accuracy or sum(map(bool, comparison.curves.values())) < 2 else WIDTHS[:2],  # side by side
    )


def _drawn(points: Sequence[CurvePoint], rows: Sequence[Datum]) -> list[Datum]:
    """The rows as they are drawn: a model that is fitted at once, without epochs, is a level line from end to end."""
    epochs = [point.epoch for point in points if not point.at_once]
    ends = sorted({min(epochs), max(epochs)}) if epochs else []
    found: list[Datum] = []
    for point, row in zip(points, rows, strict=True):
        level = point.at_once and len(ends) > 1
        found += [{**row, "epoch": end, "bare": True} for end in ends] if level else [row]
    return found


def _row(point: CurvePoint, *, accuracy: bool) -> Datum:
    def place(value: float) -> float:
        return error_of(value) if accuracy else significant(value)

    show = text.percent if accuracy else text.decimal
    return {
        "model": point.label,
        "epoch": point.epoch,
        "y": place(point.mean),
        "low": place(point.low),
        "high": place(point.high),
        "value": show(point.mean),
        "range": f"{show(point.low)} to {show(point.high)}",
    }


def _epochs(epochs: Sequence[float]) -> Any:
    """The horizontal axis, named at ten epochs or so."""
    import altair as alt

    first, last = min(epochs), max(epochs)
    span = [first, last] if last > first else [first - 0.5, last + 0.5]
    ticks = list(range(math.ceil(first), int(last) + 1, max(1, math.ceil((last - first) / 10))))
    axis = alt.Axis(format="d", values=ticks, title="epoch", grid=False)
    return alt.X("epoch:Q", scale=alt.Scale(domain=span, nice=False), axis=axis)
