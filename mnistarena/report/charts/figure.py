"""What charts share: the figure they become, axes, the places of labels, and the layers of a line chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from mnistarena.report.charts.style import GRID, INK, MUTED, RULE, Styles

Datum = dict[str, Any]
"""A row of a chart's data: values by field."""

Document = dict[str, Any]
"""A chart as a Vega-Lite document."""

Kind = Literal["accuracy", "loss", "time", "robustness", "calibration", "confusion", "ranks", "growth"]

WIDTH = 720
FONT = "system-ui, sans-serif"
PADDING = {"left": 4, "top": 8, "right": 4, "bottom": 4}
LABEL = 15
"""Height (pixels) that a name beside a line needs."""
_ERRORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
_CONFIG = {
    "font": FONT,
    "aria": False,  # the figure around a chart carries its role, description and table
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": GRID, "domainColor": RULE, "tickColor": RULE,
        "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelFontWeight": "normal",
        "titlePadding": 10,
    },
    "text": {"color": INK, "fontSize": 12},
    "legend": {"labelColor": MUTED, "titleColor": MUTED},
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "fontWeight": 600},
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One chart: where it belongs, its Vega-Lite document, its SVG, and its figures as a table.

    `dataset` is empty for a chart about several of them, ranks or growth; `subject` is the label of the recipe, the
    corruption, or of the largest dataset of a growth. `head` and `table` are text.
    """

    key: str
    kind: Kind
    _: KW_ONLY
    dataset: str
    subject: str
    title: str
    description: str
    spec: Document
    svg: str
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]

    @property
    def file(self) -> str:
        """The SVG's name in figures/."""
        return f"{self.key}.svg"


def finish(
    chart: Any,
    key: str,
    *,
    kind: Kind,
    dataset: str = "",
    subject: str = "",
    title: str,
    description: str,
    head: tuple[str, ...],
    table: tuple[tuple[str, ...], ...],
    width: int | None = None,
) -> Figure:
    """The figure of an Altair chart; in the page it is as wide as its place where no width is given."""
    import vl_convert

    spec = chart.properties(width=width or WIDTH, background="transparent").configure(**_CONFIG).to_dict(validate=False)
    svg = vl_convert.vegalite_to_svg({**spec, "background": "#ffffff"})
    if width is None:
        spec = {**spec, "width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    return Figure(
        key,
        kind,
        dataset=dataset,
        subject=subject,
        title=title,
        description=description,
        spec=spec,
        svg=svg,
        head=head,
        table=table,
    )


def error_of(accuracy: float) -> float:
    """The error."""
    return max(0.0, significant(1 - accuracy))


def significant(value: float, digits: int = 5) -> float:
    """A float with so many significant digits, so that a chart's document stays short."""
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True)
class Axis:
    """A quantitative axis; `domain` is its beginning (bottom or left) and its end.

    A "symlog" one goes by log(1 + x/`constant`), which has a place for zero.
    """

    axis: Any
    domain: tuple[float, float]
    _: KW_ONLY
    kind: Literal["log", "symlog", "linear"] = "log"
    constant: float = 1.0

    @property
    def scale(self) -> Any:
        """Vega's scale."""
        import altair as alt

        more = {"constant": self.constant} if self.kind == "symlog" else {}
        return alt.Scale(type=self.kind, domain=list(self.domain), nice=False, **more)

    def x(self, field: str) -> Any:
        """A field on this axis, from left to right."""
        import altair as alt

        return alt.X(f"{field}:Q", scale=self.scale, axis=self.axis)

    def y(self, field: str) -> Any:
        """A field on this axis, from bottom to top."""
        import altair as alt

        return alt.Y(f"{field}:Q", scale=self.scale, axis=self.axis)

    def share(self, value: float) -> float:
        """How far along the axis a value is, from 0 to 1."""
        start, end = map(self._scaled, self.domain)
        return (self._scaled(value) - start) / (end - start)

    def value(self, share: float) -> float:
        """The value at a share of the axis's length."""
        start, end = map(self._scaled, self.domain)
        found = start + share * (end - start)
        if self.kind == "symlog":
            return self.constant * math.expm1(found)
        return math.exp(found) if self.kind == "log" else found

    def _scaled(self, value: float) -> float:
        if self.kind == "symlog":
            return math.log1p(value / self.constant)
        return math.log(value) if self.kind == "log" else value


def accuracy_axis(errors: Sequence[float], title: str) -> Axis:
    """A logarithmic axis for errors, labelled as accuracies, best on top."""
    import altair as alt

    least, most, constant = _ends(errors)
    most = min(most, 1.0)
    ticks = [tick for tick in _ERRORS if max(least, constant) <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] in "15"]
    label = "format(100 * (1 - datum.value), '.6~f') + ' %'"
    axis = alt.Axis(values=[*ticks, *([0.0] if constant else [])], labelExpr=label, title=title)
    return _logarithmic(axis, (most, least), constant)


def _ends(values: Sequence[float]) -> tuple[float, float, float]:
    """The least and the greatest value of an axis, and the constant that it needs to show zero, 0 where it need not."""
    above = [value for value in values if value > 0] or [1.0]
    least, most = min(above), max(above)
    return (0.0, most * 1.15, least / 2) if min(values) <= 0 else (least / 1.15, most * 1.15, 0.0)


def loss_axis(values: Sequence[float]) -> Axis:
    """A logarithmic axis for losses."""
    import altair as alt

    least, most, constant = _ends(values)
    first = max(least, constant)
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(most)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if first <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    ticks = [0.0, *ticks] if constant else ticks
    return _logarithmic(alt.Axis(values=ticks, format="~g", title=""), (least, most), constant)


def _logarithmic(axis: Any, domain: tuple[float, float], constant: float) -> Axis:
    return Axis(axis, domain, kind="symlog", constant=constant) if constant else Axis(axis, domain)


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


def short(label: str, limit: int = 20) -> str:
    """A label, cut so that it fits beside a line."""
    return label if len(label) <= limit else label[: limit - 1] + "…"


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


def last_rows(rows: Sequence[Datum], labels: Sequence[str]) -> list[Datum]:
    """The last row of each model, in the order of the labels."""
    return [next(row for row in reversed(rows) if row["model"] == label) for label in labels]


def edge_layers(names: Sequence[Datum], at: Any, marks: Look) -> list[Any]:
    """The marks and names at the right edge that stand for a legend; `names` have `model`, `name` and a place."""
    import altair as alt

    side = alt.Chart(alt.InlineData(values=list(names)))
    edge = alt.value("width")
    return [
        side.mark_point(size=44, filled=True, opacity=1, xOffset=14).encode(at, marks.colour, marks.shape, x=edge),
        side.mark_text(align="left", baseline="middle", dx=22).encode(at, alt.Text("name:N"), x=edge),
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
    tooltips: Sequence[Any],
) -> list[Any]:
    """A line a model with an interval at each point, and its name at the right edge.

    Rows have `model`, `y`, `low`, `high`, and the field of `x`, in the order in which they are joined; those that are
    `bare` have no mark, those that are `open` an open one. `interval` is the mark from low to high, an area or a rule;
    `line` the width of the lines, `point` the size of the points.
    """
    import altair as alt

    marks = look(labels, styles)
    ends = last_rows(rows, labels)
    places = spread([(1 - y.share(row["y"])) * height for row in ends], LABEL, height)
    names = [
        {"model": row["model"], "name": short(row["model"]), "at": y.value(1 - place / height)}
        for row, place in zip(ends, places, strict=True)
    ]
    data = alt.InlineData(values=rows)
    base = alt.Chart(data)
    pointed = [row for row in rows if not row.get("bare")]
    kinds = {filled: [row for row in pointed if bool(row.get("open")) != filled] for filled in (True, False)}
    return [
        alt.Chart(data, mark=dict(interval)).encode(x, y.y("low"), alt.Y2("high:Q"), marks.colour),
        base.mark_line(strokeWidth=line).encode(x, y.y("y"), marks.colour, marks.dash),
        *(
            alt.Chart(alt.InlineData(values=those))
            .mark_point(size=point, filled=filled, opacity=1)
            .encode(x, y.y("y"), marks.colour, marks.shape, tooltip=list(tooltips))
            for filled, those in kinds.items()
            if those
        ),
        *edge_layers(names, y.y("at"), marks),
    ]
