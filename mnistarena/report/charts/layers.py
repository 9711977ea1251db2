"""What charts are made of: rows of data, how models look, names at the right edge, the layers of a line chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from mnistarena.report.charts.axes import Axis
from mnistarena.report.charts.style import Styles

Datum = dict[str, Any]
"""A row of a chart's data: values by field."""

LABEL = 15
"""Height (pixels) that a name beside a line needs."""


def told(rows: Sequence[Datum], *fields: tuple[str, str]) -> list[Datum]:
    """Rows with what a point says, `told`: the model, and a line for each field with its title."""
    return [
        {**row, "told": "\n".join([str(row["model"]), *(f"{title}: {row[field]}" for field, title in fields)])}
        for row in rows
    ]


def spread(places: Sequence[float], gap: float, height: float) -> list[float]:
    """Label positions (pixels) moved apart by at least `gap`, as little as possible, within 0 … height."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    clusters: list[list[int]] = []

    def centre(cluster: list[int]) -> float:
        middle = sum(places[i] for i in cluster) / len(cluster)
        half = gap * (len(cluster) - 1) / 2
        return min(max(middle, half), max(height - half, half))

    for i in order:
        clusters.append([i])
        while (
            len(clusters) > 1
            and centre(clusters[-1]) - centre(clusters[-2]) < gap * (len(clusters[-1]) + len(clusters[-2])) / 2
        ):
            last = clusters.pop()
            clusters[-1] += last
    for cluster in clusters:
        start = centre(cluster) - gap * (len(cluster) - 1) / 2
        for step, i in enumerate(cluster):
            moved[i] = start + gap * step
    return moved


@dataclass(frozen=True)
class Look:
    """Colour, dash and shape of the models as encodings, without legends: names stand beside the marks."""

    colour: Any
    dash: Any
    _: KW_ONLY
    shape: Any


def look(labels: Sequence[str], styles: Styles) -> Look:
    """How the models of a chart are drawn."""
    import altair as alt

    domain = list(labels)
    colour = alt.Scale(domain=domain, range=[styles[label].colour for label in labels])
    dash = alt.Scale(domain=domain, range=[list(styles[label].dash) for label in labels])
    shape = alt.Scale(domain=domain, range=[styles[label].shape for label in labels])
    return Look(
        alt.Color("model:N", scale=colour, legend=None),
        alt.StrokeDash("model:N", scale=dash, legend=None),
        shape=alt.Shape("model:N", scale=shape, legend=None),
    )


def chart_of(rows: Sequence[Datum]) -> Any:
    """An Altair chart of rows, without a mark as yet.

    An encoding of it is best given as its class, `alt.X2("high:Q")`: for `x2="high:Q"` Altair looks through all that
    it has.
    """
    import altair as alt

    # Of each chart that is made of another Altair copies the rows of a list, one by one; a tuple stays as it is.
    return alt.Chart(alt.InlineData(values=tuple(rows)))


def last_rows(rows: Sequence[Datum], labels: Sequence[str]) -> list[Datum]:
    """The last row of each model, in the order of the labels."""
    return [next(row for row in reversed(rows) if row["model"] == label) for label in labels]


def edge_layers(names: Sequence[Datum], at: Any, marks: Look) -> list[Any]:
    """The marks and names at the right edge that stand for a legend; `names` have `model` and a place."""
    import altair as alt

    side = chart_of(names)
    edge = alt.XValue("width")
    point = {"size": 44, "filled": True, "opacity": 1, "xOffset": 14}
    return [
        side.mark_point(**point, aria=True).encode(at, marks.colour, marks.shape, edge, alt.Description("model:N")),
        side.mark_text(align="left", baseline="middle", dx=22, aria=True).encode(
            at, alt.Text("model:N"), edge, alt.Description("model:N")
        ),
    ]


def line_layers(
    rows: list[Datum],
    labels: Sequence[str],
    styles: Styles,
    *,
    x: Any,
    y: Axis,
    height: int,
    interval: Mapping[str, Any],
    line: float = 2,
    point: int,
) -> list[Any]:
    """A line a model with an interval at each point, and its name at the right edge.

    Rows have `model`, `y`, `low`, `high`, `told`, and the field of `x`, in the order in which they are joined; those
    that are `bare` have no mark, those that are `open` an open one. `interval` is the mark from low to high, an area or
    a rule; `line` the width of the lines, `point` the size of the points.
    """
    import altair as alt

    marks = look(labels, styles)
    ends = last_rows(rows, labels)
    places = spread([(1 - y.share(row["y"])) * height for row in ends], LABEL, height)
    names = [
        {"model": row["model"], "at": y.value(1 - place / height)} for row, place in zip(ends, places, strict=True)
    ]
    base = chart_of(rows)
    pointed = [row for row in rows if not row.get("bare")]
    kinds = {filled: [row for row in pointed if bool(row.get("open")) != filled] for filled in (True, False)}
    return [
        base.properties(mark={**interval, "aria": True}).encode(
            x, y.y("low"), alt.Y2("high:Q"), marks.colour, alt.Description("model:N")
        ),
        base.mark_line(strokeWidth=line, aria=True).encode(
            x, y.y("y"), marks.colour, marks.dash, alt.Description("model:N")
        ),
        *(
            chart_of(those)
            .mark_point(size=point, filled=filled, opacity=1, aria=True)
            .encode(x, y.y("y"), marks.colour, marks.shape, alt.Description("told:N"))
            for filled, those in kinds.items()
            if those
        ),
        *edge_layers(names, y.y("at"), marks),
    ]
