"""The chart of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnistarena.report import format as text
from mnistarena.report.charts.figure import Figure, finish
from mnistarena.report.charts.layers import Datum, chart_of
from mnistarena.report.charts.style import ACCENT, INK, PAPER
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.confusion import Matrix
from mnistarena.text import plural


def matrix(key: str, comparison: Comparison, found: Matrix) -> Figure:
    """True against predicted classes, summed over the seeds; errors are dark."""
    import altair as alt

    names = [_short(name) for name in comparison.dataset["class_names"]]
    step = 40 if len(names) <= 12 else 26
    x, y = _axes(names)
    base = chart_of(_cells(found, names)).encode(x, y)
    opacity = alt.Opacity("ink:Q", scale=None, legend=None)
    number = base.mark_text(fontSize=11 if step == 40 else 9).encode(
        alt.Text("n:Q"), alt.ColorValue(INK, condition={"test": "datum.ink > 0.55", "value": PAPER})
    )
    return finish(
        [base.mark_rect(color=ACCENT).encode(opacity), number],
        key,
        height=step * len(names),
        padding=4,
        names=names,
        kind="confusion",
        dataset=comparison.label,
        subject=found.label,
        title=f"Confusions of {found.label}",
        description=f"Confusion matrix of {found.label}, summed over {plural(found.seeds, 'seed')}. "
        + ("; ".join(f"{t} taken for {p}: {n:,}" for t, p, n in found.top) or "No errors")
        + ".",
        head=("True \\ predicted", *names),
        table=tuple((names[t], *(f"{n:,}" for n in row)) for t, row in enumerate(found.counts)),
        width=step * len(names),
    )


def _cells(found: Matrix, names: Sequence[str]) -> list[Datum]:
    """The cells that are not empty; `ink` is how dark they are, by the square root of the number of images."""
    return [
        {
            "t": true,
            "p": predicted,
            "n": number,
            "of": text.percent(number / max(sum(row), 1)),
            "true": names[true],
            "predicted": names[predicted],
            # The diagonal holds the correct predictions: it stays pale, so that the errors are seen.
            "ink": 0.07 if true == predicted else found.ink(number) / 100,
        }
        for true, row in enumerate(found.counts)
        for predicted, number in enumerate(row)
        if number
    ]


def _axes(names: Sequence[str]) -> tuple[Any, Any]:
    """The encodings of the predicted and the true class; long names at the bottom are turned."""
    import altair as alt

    scale = alt.Scale(domain=list(range(len(names))), padding=0.04)
    left: Datum = {
        "domain": False,
        "ticks": False,
        "labelExpr": "names[datum.value]",
        "labelPadding": 8,
        "labelAngle": 0,
    }
    turned = max(len(name) for name in names) > 4
    bottom = {**left, "labelAngle": -45, "labelAlign": "right"} if turned else left
    x = alt.X("p:O", scale=scale, axis=alt.Axis(**bottom, title="predicted"))
    return x, alt.Y("t:O", scale=scale, axis=alt.Axis(**left, title="true"))


def _short(name: str, limit: int = 14) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
