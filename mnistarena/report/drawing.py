"""What charts share: the figure they become, scales, axes, label places, and the look of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnistarena.report.comparison import Comparison
from mnistarena.report.style import GRID, INK, MUTED, RULE
from mnistarena.report.view import View

WIDTH = 720
FONT = "system-ui, sans-serif"
_ERRORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
TIMES = (0.001, 0.01, 0.1, 0.3, 1, 3, 10, 20, 40, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
"""Training times (s) that an axis may name."""


@dataclass(frozen=True)
class Figure:
    """One chart: where it belongs, its Vega-Lite document, its SVG, and its figures as a table.

    `kind` is accuracy, loss, time, robustness, calibration or confusion, or where `dataset` is empty, being about
    several, ranks or growth; `subject` the label of the recipe, the corruption, or of the largest dataset of a growth.
    """

    key: str
    kind: str
    dataset: str
    subject: str
    title: str
    description: str
    spec: dict[str, Any]
    svg: str
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]

    @property
    def file(self) -> str:
        """The SVG's name in figures/."""
        return f"{self.key}.svg"


def finish(
    chart: Any, key: str, kind: str, comparison: Comparison | None, width: int | None = None, **rest: Any
) -> Figure:
    """The document for the page (as wide as its place where no width is given) and the SVG."""
    import vl_convert

    config = {
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
    spec = chart.properties(width=width or WIDTH, background="transparent").configure(**config).to_dict()
    svg = vl_convert.vegalite_to_svg({**spec, "background": "#ffffff"})
    if width is None:
        spec = {**spec, "width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}
    dataset = comparison.label if comparison else ""
    return Figure(key=key, kind=kind, dataset=dataset, spec=spec, svg=svg, **rest)


def error_of(accuracy: float, floor: float) -> float:
    """The error, at least `floor`, for a logarithmic scale has no place for zero."""
    return max(1 - accuracy, floor)


def accuracy_axis(errors: Sequence[float], title: str) -> tuple[Any, Any, list[float]]:
    """Scale and axis for errors, labelled as accuracies, best on top; and the domain (largest, least)."""
    import altair as alt

    most, least = min(max(errors) * 1.15, 1.0), min(errors) / 1.15
    ticks = [tick for tick in _ERRORS if least <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if tick in (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)]
    scale = alt.Scale(type="log", domain=[most, least], nice=False)
    label = "format(100 * (1 - datum.value), '.4~f') + ' %'"
    return scale, alt.Axis(values=ticks, labelExpr=label, title=title), [most, least]


def loss_axis(values: Sequence[float]) -> tuple[Any, Any, list[float]]:
    """A logarithmic scale and its axis for losses; and the domain (least, largest)."""
    import altair as alt

    least, most = min(values) / 1.15, max(values) * 1.15
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if least <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    scale = alt.Scale(type="log", domain=[least, most], nice=False)
    return scale, alt.Axis(values=ticks, format="~g", title=""), [least, most]


def spread(places: list[float], gap: float, height: float) -> list[float]:
    """Move label positions (pixels) apart by at least `gap`, as little as possible, within 0 … height."""
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


def end_names(ends: Sequence[dict[str, Any]], domain: Sequence[float], height: float) -> list[dict[str, Any]]:
    """Where the names of lines stand beside their ends (`model`, `y` on a log axis of `domain`), kept apart."""
    bottom, top = math.log(domain[0]), math.log(domain[1])
    pixels = [(1 - (math.log(row["y"]) - bottom) / (top - bottom)) * height for row in ends]
    return [
        {
            "model": row["model"],
            "name": short(row["model"]),
            "at": math.exp(bottom + (1 - y / height) * (top - bottom)),
        }
        for row, y in zip(ends, spread(pixels, 15, height), strict=True)
    ]


def end_layers(names: list[dict[str, Any]], at: Any, colour: Any, shape: Any) -> list[Any]:
    """The marks and names at the right edge that stand for a legend."""
    import altair as alt

    side = alt.Chart(alt.InlineData(values=names))
    edge = alt.value("width")
    return [
        side.mark_point(size=44, filled=True, opacity=1, xOffset=14).encode(at, colour, shape, x=edge),
        side.mark_text(align="left", baseline="middle", dx=22).encode(at, alt.Text("name:N"), x=edge),
    ]


def short(label: str, limit: int = 20) -> str:
    """A label as it fits beside a line."""
    return label if len(label) <= limit else label[: limit - 1] + "…"


def look(labels: list[str], view: View) -> tuple[Any, Any, Any]:
    """Colour, dash and shape of the models as encodings, without legends: labels stand beside the marks."""
    import altair as alt

    looks = view.styles
    colour = alt.Scale(domain=labels, range=[looks[label].colour for label in labels])
    dash = alt.Scale(domain=labels, range=[list(looks[label].dash) for label in labels])
    shape = alt.Scale(domain=labels, range=[looks[label].shape for label in labels])
    return (
        alt.Color("model:N", scale=colour, legend=None),
        alt.StrokeDash("model:N", scale=dash, legend=None),
        alt.Shape("model:N", scale=shape, legend=None),
    )
