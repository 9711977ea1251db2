"""What charts share: the figure they become, axes, the places of labels, and the layers of a line chart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from mnistarena.report.charts.axes import Axis
from mnistarena.report.charts.style import GRID, INK, MUTED, RULE, Styles

Datum = dict[str, Any]
"""A row of a chart's data: values by field."""

Document = dict[str, Any]
"""A chart as a Vega-Lite document."""

Kind = Literal[
    "accuracy", "loss", "time", "robustness", "calibration", "confusion", "ranks", "growth", "forest", "budget", "slice"
]

WIDTHS = (328, 720, 1100)
"""Widths (pixels) that a chart is drawn at, text always as large; the page shows the one that fits."""
WIDTH = 720
FONT = "system-ui, sans-serif"
PADDING = {"left": 4, "top": 8, "right": 4, "bottom": 4}
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")
LABEL = 15
"""Height (pixels) that a name beside a line needs."""
_LEAST_NAME, _NAME = 118, 0.28
"""The room (pixels) of a name beside a mark: the least, and as a share of the drawing's width."""
_CONFIG = {
    "font": FONT,
    "mark": {"aria": False},  # but for points, which carry what is said of them
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": GRID, "domainColor": RULE, "tickColor": RULE,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelFontWeight": "normal",
        "titlePadding": 10, "aria": False, "labelOverlap": True,
    },
    "text": {"color": INK, "fontSize": 12},
    "legend": {"labelColor": MUTED, "titleColor": MUTED},
    "title": {"color": INK, "fontSize": 13, "anchor": "start", "fontWeight": 600},
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One chart: where it belongs, its Vega-Lite document, the `widths` it is drawn at, and its figures as a table.

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
    widths: tuple[int, ...]
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]

    @cached_property
    def drawings(self) -> Mapping[int, str]:
        """The SVG at each width, for the page."""
        return {width: self.svg if width == self.width else _drawn(sized(self.spec, width)) for width in self.widths}

    @property
    def width(self) -> int:
        """The width of the drawing that stands beside the Markdown."""
        return WIDTH if WIDTH in self.widths else self.widths[0]

    @cached_property
    def svg(self) -> str:
        """That drawing."""
        return _drawn(sized(self.spec, self.width))

    @property
    def file(self) -> str:
        """The SVG's name in figures/."""
        return f"{self.key}.svg"


def finish(
    layers: Sequence[Any],
    key: str,
    *,
    height: int,
    padding: Any = PADDING,
    names: Sequence[str] | None = None,
    kind: Kind,
    dataset: str = "",
    subject: str = "",
    title: str,
    description: str,
    head: tuple[str, ...],
    table: tuple[tuple[str, ...], ...],
    width: int | None = None,
    widths: tuple[int, ...] = WIDTHS,
) -> Figure:
    """The figure of Altair charts that lie over one another, at each of the `widths` where no `width` is given.

    `names` is text that the expressions of an axis look up by its place.
    """
    import altair as alt

    # Altair copies every layer twice when it is given them here, and again for each property that is set afterwards.
    chart = alt.LayerChart(
        height=height,
        padding=padding,
        width=width or WIDTH,
        background="#ffffff",
        config=_CONFIG,
        params=alt.Undefined if names is None else [alt.VariableParameter(name="names", value=list(names))],
    )
    chart.layer = list(layers)
    spec = chart.to_dict(validate=False)
    spec["datasets"] = {name: list(rows) for name, rows in spec["datasets"].items()}
    if width is None:
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return Figure(
        key,
        kind,
        dataset=dataset,
        subject=subject,
        title=title,
        description=description,
        spec=spec,
        widths=(width,) if width else widths,
        head=head,
        table=table,
    )


def vega_svg(spec: Document) -> str:
    """The SVG of a Vega-Lite document, as it comes from the library."""
    return _vega_svg(json.dumps(spec))


# Most charts of a page that is written again, as by `arena watch` and `arena site`, are those it had before.
@lru_cache(maxsize=256)
def _vega_svg(document: str) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(document))


def _drawn(spec: Document) -> str:
    svg = vega_svg(spec)
    # What is said of a mark is for the page's script: the figure around a drawing describes it to a screen reader.
    svg = re.sub(r' (?:role="graphics-\w+"|aria-roledescription="[^"]*"|pointer-events="none")', "", svg)
    # Hundredths of a pixel, but every digit of what is written.
    svg = re.sub(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"', lambda at: _DECIMALS.sub(r"\1", at[0]), svg)
    # A point says several lines; what says one, its model, stands out with it.
    svg = re.sub(r' aria-label="(?=[^"]*(?:\n|&#10;|&#xA;))', ' data-told="', svg)
    svg = svg.replace(' aria-label="', ' data-model="')
    return re.sub(r'(<text[^>]* data-model="([^"]*)"[^>]*>)([^<]*…)</text>', r"\1\3<title>\2</title></text>", svg)


def sized(spec: Document, width: int) -> Document:
    """A document at a width; what stands beside marks is cut where it would take too much of it."""
    config = spec["config"]
    room = {**config["text"], "limit": max(_LEAST_NAME, round(_NAME * width))}
    return {**spec, "width": width, "config": {**config, "text": room}}


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
