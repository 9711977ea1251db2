"""What every chart becomes: a figure, its Vega-Lite document and its drawings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from mnistarena.report.charts.style import GRID, INK, MUTED, RULE

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
