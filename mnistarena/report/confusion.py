"""The chart of a confusion matrix."""

from __future__ import annotations

import math

from mnistarena.report import format as text
from mnistarena.report.comparison import Comparison
from mnistarena.report.drawing import Figure, finish, short
from mnistarena.report.parts import Matrix
from mnistarena.report.style import ACCENT, INK, PAPER


def confusion(key: str, comparison: Comparison, matrix: Matrix) -> Figure:
    """True against predicted classes, summed over the seeds; the errors stand out."""
    import altair as alt

    names = [short(str(name), 14) for name in comparison.dataset["class_names"]]
    size = len(names)
    most = max((c for t, row in enumerate(matrix.counts) for p, c in enumerate(row) if t != p), default=0) or 1
    cells = []
    for true, row in enumerate(matrix.counts):
        for predicted, number in enumerate(row):
            if not number:
                continue
            share = number / max(sum(row), 1)
            cells.append(
                {
                    "t": true, "p": predicted, "n": number, "of": text.percent(share),
                    "true": names[true], "predicted": names[predicted],
                    # The diagonal is where all is well: it stays pale so that errors stand out.
                    "ink": 0.07 if true == predicted else round(0.12 + 0.88 * math.sqrt(number / most), 3),
                }
            )  # fmt: skip
    step = 40 if size <= 12 else 26
    order = list(range(size))
    axis = {
        "domain": False,
        "ticks": False,
        "labelExpr": "names[datum.value]",
        "labelPadding": 8,
        "labelAngle": 0,
    }
    if max(len(name) for name in names) > 4:
        bottom = {**axis, "labelAngle": -45, "labelAlign": "right"}
    else:
        bottom = axis
    x = alt.X("p:O", scale=alt.Scale(domain=order, padding=0.04), axis=alt.Axis(**bottom, title="predicted"))
    y = alt.Y("t:O", scale=alt.Scale(domain=order, padding=0.04), axis=alt.Axis(**axis, title="true"))
    base = alt.Chart(alt.InlineData(values=cells)).encode(x, y)
    tips = [
        alt.Tooltip("true:N"),
        alt.Tooltip("predicted:N"),
        alt.Tooltip("n:Q", title="images"),
        alt.Tooltip("of:N", title="of this class"),
    ]
    opacity = alt.Opacity("ink:Q", scale=None, legend=None)
    chart = (
        alt.layer(
            base.mark_rect(color=ACCENT).encode(opacity, tooltip=tips),
            base.mark_text(fontSize=11 if step == 40 else 9, tooltip=None).encode(
                alt.Text("n:Q"),
                color=alt.condition("datum.ink > 0.55", alt.value(PAPER), alt.value(INK)),
            ),
        )
        .properties(height=step * size, padding=4)
        .add_params(alt.param(name="names", value=names))
    )
    return finish(
        chart,
        key,
        "confusion",
        comparison,
        width=step * size,
        subject=matrix.label,
        title=f"Confusions of {matrix.label}",
        description=f"Confusion matrix of {matrix.label}, summed over {text.plural(matrix.seeds, 'seed')}. "
        + ("; ".join(f"{t} taken for {p}: {n:,}" for t, p, n in matrix.top) or "No errors")
        + ".",
        head=("True \\ predicted", *names),
        table=tuple((names[t], *(f"{n:,}" for n in row)) for t, row in enumerate(matrix.counts)),
    )
