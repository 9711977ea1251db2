"""Learning curves: a line a model, a band over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.figure import (
    LABEL,
    PADDING,
    Datum,
    Figure,
    accuracy_axis,
    error_of,
    finish,
    last_rows,
    line_layers,
    loss_axis,
    significant,
)
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
    import altair as alt

    labels = list(dict.fromkeys(point.label for point in points))
    accuracy = name == "validation_accuracy"
    floor = 0.5 / max(comparison.dataset.get("n_validation") or 1000, 1) if accuracy else 1e-5
    rows = [_row(point, accuracy, floor) for point in points]
    values = [row[field] for row in rows for field in ("y", "low", "high")]
    height = max(300 if accuracy else 240, LABEL * len(labels))
    tooltips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("value:N", title="mean"),
        alt.Tooltip("range:N", title="seeds"),
    ]
    layers = line_layers(
        rows,
        labels,
        styles,
        x=_epochs([row["epoch"] for row in rows]),
        y=accuracy_axis(values, "") if accuracy else loss_axis(values),
        height=height,
        interval={"type": "area", "opacity": 0.16},
        point=26,
        tooltips=tooltips,
    )
    seeds = max((len(row.seed_accuracies) for row in comparison.rows), default=1)
    band = "; bands span the seeds" if seeds > 1 else ""
    return finish(
        alt.layer(*layers).properties(height=height, padding=PADDING),
        key,
        kind="accuracy" if accuracy else "loss",
        dataset=comparison.label,
        title=f"{_TITLES[name]} by epoch",
        description=f"{_TITLES[name]} of {plural(len(labels), 'model')} by epoch, mean over seeds{band}. "
        + "; ".join(f"{row['model']} ends at {row['value']}" for row in last_rows(rows, labels)[:12])
        + ".",
        head=("Model", "Epoch", "Mean over seeds", "Lowest to highest seed"),
        table=tuple((row["model"], f"{row['epoch']:g}", row["value"], row["range"]) for row in rows),
    )


def _row(point: CurvePoint, accuracy: bool, floor: float) -> Datum:
    def place(value: float) -> float:
        return significant(error_of(value, floor) if accuracy else max(value, floor))

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
